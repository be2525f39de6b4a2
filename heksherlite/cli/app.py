"""``heksherlite app``: which applications get their configuration from the service, and what they are allowed."""

import json
import time
from typing import Final

import click

from heksherlite.cli.approvals import approval_options
from heksherlite.cli.database import cause, in_access_store, reason_option
from heksherlite.cli.location import database_option
from heksherlite.cli.tables import print_table
from heksherlite.cli.times import read_expiry, show_date
from heksherlite.service.domain.applications import Application, Approval, invited, registered
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.device_codes import DeviceCodes

_TITLES: Final = ("ID", "IDENTIFIER", "VERSION", "STATUS", "SCOPES", "SETTINGS", "GROUPS", "SINCE")


@click.group()
def app() -> None:
    """Let applications in, list them, and revoke what they have.

    An application gets its configuration when a person approves it, on the service's page or here (approve), when it
    has a one-time token (invite), or when it is registered for everybody (register). These commands work on the
    database of the service, running or not. A running service learns of what they do within a second.
    """


@app.command(name="list")
@database_option
def list_(database: str | None) -> None:
    """List the applications: who was approved, invited or registered, and who came."""
    now = time.time()
    known = in_access_store(database, lambda access: Applications(access).all())
    print_table(_TITLES, [_row(application, now) for application in known])


@app.command()
@click.argument("application_id", metavar="ID")
@database_option
def show(application_id: str, database: str | None) -> None:
    """Show all about the application with this ID, in JSON, without secrets."""
    application = in_access_store(database, lambda access: Applications(access).get(application_id))
    if application is None:
        raise click.ClickException(f"there is no application {application_id!r}; see heksherlite app list")
    click.echo(json.dumps(application.described(), indent=2, ensure_ascii=False))


@app.command()
@click.argument("identifier")
@approval_options
@click.option(
    "--expires",
    metavar="WHEN",
    default="7d",
    show_default=True,
    help="Until when the token is good: a time from now, such as 12h, or a date in UTC, such as 2030-01-31.",
)
@reason_option
@database_option
def invite(identifier: str, approval: Approval, expires: str, reason: str | None, database: str | None) -> None:
    """Print a one-time token for one application called IDENTIFIER: it is shown only this once."""
    now = time.time()
    expires_at = read_expiry(expires, now)
    try:
        one_time_token, application = invited(identifier, approval, now=now, expires_at=expires_at)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    _add(database, application, reason)
    click.echo(one_time_token)


@app.command()
@click.argument("identifier")
@click.option("--public", is_flag=True, required=True, help="Say that everybody may have what it gets.")
@click.option("--redirect-uri", metavar="URI", help="Where it is reached; another one in a request is refused.")
@approval_options
@reason_option
@database_option
def register(
    identifier: str,
    public: bool,  # noqa: ARG001  # required, so that nobody does this by accident
    redirect_uri: str | None,
    approval: Approval,
    reason: str | None,
    database: str | None,
) -> None:
    """Let every program in that says it is IDENTIFIER. All get the same token, so it should allow little."""
    try:
        application = registered(identifier, approval, now=time.time(), redirect_uri=redirect_uri)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    _add(database, application, reason)
    click.echo(application.id)


@app.command()
@click.argument("code")
@approval_options
@click.option("--yes", is_flag=True, help="Do not ask whether it is the right application.")
@reason_option
@database_option
def approve(code: str, approval: Approval, *, yes: bool, reason: str | None, database: str | None) -> None:
    """Let the application in that shows CODE, and waits."""
    now = time.time()
    asking = _asking(database, code, now)
    manifest = asking.manifest
    click.echo(f"{manifest.identifier} {manifest.version}, from {asking.address or 'somewhere'}", err=True)
    click.echo(f"asks for {', '.join(manifest.scopes) or 'its configuration'}", err=True)
    click.echo(f"and gets {', '.join(sorted(approval.scopes)) or 'its configuration and no scope'}", err=True)
    if not yes:
        click.confirm("Approve?", abort=True, err=True)
    approved = in_access_store(
        database,
        lambda access: DeviceCodes(access).approve(code, approval, cause(reason), time.time()),
    )
    click.echo(approved.id)


@app.command()
@click.argument("code")
@reason_option
@database_option
def deny(code: str, reason: str | None, database: str | None) -> None:
    """Refuse the application that shows CODE, and waits."""
    _asking(database, code, time.time())
    in_access_store(database, lambda access: DeviceCodes(access).deny(code, cause(reason), time.time()))


@app.command()
@click.argument("name")
@reason_option
@database_option
def revoke(name: str, reason: str | None, database: str | None) -> None:
    """Revoke the application with the ID NAME, or all whose identifier is NAME.

    Their tokens are of no use from then on, and neither are one-time tokens that nobody has used.
    """
    revoked = in_access_store(database, lambda access: Applications(access).revoke(name, cause(reason)))
    for application in revoked:
        click.echo(f"revoked {application.id} ({application.identifier})")


def _asking(database: str | None, code: str, now: float) -> DeviceCode:
    asking = in_access_store(database, lambda access: DeviceCodes(access).open(code, None, None, now))
    if asking is None:
        raise click.ClickException(
            "no application asks with this code; one that made it up itself has to be approved on its page"
        )
    return asking


def _add(database: str | None, application: Application, reason: str | None) -> None:
    async def add(access: AccessStore) -> None:
        await Applications(access).add(application, cause(reason))

    in_access_store(database, add)


def _row(application: Application, now: float) -> tuple[str, ...]:
    approval = application.approval
    return (
        application.id,
        application.identifier,
        application.manifest.version or "-",
        application.status.value + " (expired)" * application.expired(now),
        ",".join(scope for scope in Scope if scope in approval.scopes) or "-",
        f"{approval.setting_prefix}*",
        ",".join(approval.groups) or "-",
        show_date(application.created_at),
    )
