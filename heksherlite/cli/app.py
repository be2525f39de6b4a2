"""``heksherlite app``: the applications that get their configuration from the service."""

import json
import time
from typing import TYPE_CHECKING

import click

from heksherlite.cli.applications import applications_argument, print_applications, select
from heksherlite.cli.approvals import approval_options
from heksherlite.cli.location import reason_option
from heksherlite.cli.target import Target, administration_of, target_options
from heksherlite.cli.times import format_time, parse_expiry

if TYPE_CHECKING:
    from heksherlite.cli.administration import Administration
    from heksherlite.cli.remote_administration import RemoteAdministration
    from heksherlite.service.domain.applications import Approval


@click.group()
def app() -> None:
    """Approve, invite, list and revoke applications.

    An application gets its configuration when a person approves it, on the service's page or by app approve, when it
    has a one-time token of app invite, or when app register makes it public. These commands work on the database of
    the service, whether it runs or not, and a running service notices a change within a second. With --url, they work
    on the service over HTTP.
    """


@app.command(name="list")
@target_options
def list_(target: Target) -> None:
    """List the applications."""
    print_applications(administration_of(target).list_applications())


@app.command()
@click.argument("application_id", metavar="ID")
@target_options
def show(application_id: str, target: Target) -> None:
    """Show the application ID as JSON, without secrets."""
    for application in administration_of(target).list_applications():
        if application.id == application_id:
            described = {**application.described(), "last_used_at": application.last_used_at}
            click.echo(json.dumps(described, indent=2, ensure_ascii=False))
            return
    raise click.ClickException(f"there is no application with the ID {application_id!r}; see heksherlite app list")


@app.command()
@click.argument("identifier")
@approval_options
@click.option(
    "--expires",
    metavar="WHEN",
    default="7d",
    show_default=True,
    help="When the one-time token expires: a time from now, such as 12h, or a date in UTC, such as 2030-01-31.",
)
@reason_option
@target_options
def invite(identifier: str, approval: "Approval", expires: str, reason: str | None, target: Target) -> None:
    """Create a one-time token for the application IDENTIFIER.

    The command prints the token, which is shown only this once. One application can use it, one time.
    """
    expires_at = parse_expiry(expires, time.time())
    click.echo(administration_of(target, reason).invite(identifier, approval, expires_at=expires_at))


@app.command()
@click.argument("identifier")
@click.option("--public", is_flag=True, required=True, help="Confirm that everyone may get the configuration.")
@click.option(
    "--redirect-uri", metavar="URI", help="The address of the application. A request with another one is refused."
)
@approval_options
@click.option("--force", is_flag=True, help="Allow the scopes write and admin, and groups with secrets.")
@reason_option
@target_options
def register(
    identifier: str,
    approval: "Approval",
    *,
    public: bool,  # noqa: ARG001  # required, so that nobody registers an application by accident
    redirect_uri: str | None,
    force: bool,
    reason: str | None,
    target: Target,
) -> None:
    """Register the public application IDENTIFIER.

    Every program that claims to be IDENTIFIER gets its configuration and the same token, so the token should allow
    little. The scopes write, audit and admin, and groups with secrets, need --force.
    """
    administration = administration_of(target, reason)
    if not force and (exposed := _exposed(administration, approval)):
        raise click.ClickException(
            f"every program that claims to be {identifier!r} would get {exposed}; --force registers it all the same"
        )
    click.echo(administration.register(identifier, approval, redirect_uri=redirect_uri))


@app.command()
@click.argument("code")
@approval_options
@click.option("--yes", is_flag=True, help="Approve without asking.")
@reason_option
@target_options
def approve(code: str, approval: "Approval", *, yes: bool, reason: str | None, target: Target) -> None:
    """Approve the application that shows CODE.

    The command prints what the application requests and what it is granted, and asks before it approves. Then it
    prints the ID of the application.
    """
    administration = administration_of(target, reason)
    pending = administration.open_code(code)
    manifest = pending.manifest
    click.echo(f"application: {manifest.identifier} {manifest.version}", err=True)
    click.echo(f"address: {pending.address or 'unknown'}", err=True)
    click.echo(f"requested scopes: {', '.join(manifest.scopes) or 'none'}", err=True)
    click.echo(f"granted scopes: {', '.join(sorted(approval.scopes)) or 'none'}", err=True)
    if not yes:
        click.confirm("Approve this application?", abort=True, err=True)
    click.echo(administration.approve(code, approval))


@app.command()
@click.argument("code")
@reason_option
@target_options
def deny(code: str, reason: str | None, target: Target) -> None:
    """Deny the application that shows CODE."""
    administration = administration_of(target, reason)
    administration.open_code(code)
    administration.deny(code)


@app.command()
@applications_argument
@click.option(
    "--expires",
    metavar="WHEN",
    required=True,
    help="When they expire: a time from now, such as 90d, a date in UTC, such as 2030-01-31, or never.",
)
@reason_option
@target_options
def expire(
    ids: tuple[str, ...], *, identifier: str | None, yes: bool, expires: str, reason: str | None, target: Target
) -> None:
    """Decide when the credentials of the applications with these IDs expire.

    From then on, the applications are refused, as if they were revoked, until their expiry is changed. A time in the
    past or 0h ends them at once. With --identifier, the command lists the applications and asks before it changes them.
    """
    expires_at = None if expires == "never" else parse_expiry(expires, time.time())
    administration = administration_of(target, reason)
    chosen = select(administration, ids, identifier, question="Change the expiry of these applications?", yes=yes)
    for application in administration.expire_applications(chosen, expires_at):
        when = "never" if application.expires_at is None else f"{format_time(application.expires_at)} UTC"
        click.echo(f"{application.id} ({application.identifier}) expires: {when}")


@app.command()
@click.argument("application_id", metavar="ID")
@click.option(
    "--overlap",
    metavar="WHEN",
    default="7d",
    show_default=True,
    help="Until when the present credentials work as well: a time from now, such as 7d, or a date in UTC, such as"
    " 2030-01-31. 0h ends them at once.",
)
@click.option(
    "--expires",
    metavar="WHEN",
    help="When the new credentials expire: a time from now, such as 90d, or a date in UTC. By default never.",
)
@reason_option
@target_options
def rotate(application_id: str, *, overlap: str, expires: str | None, reason: str | None, target: Target) -> None:
    """Replace the credentials of the application ID, and print the new ones as JSON.

    They are printed only this once: claim_token, with which the program claims its configuration, and what follows
    from it: api_token, the token for the API, and client_id and client_secret for OAuth2. The present credentials work
    until the end of the overlap, and those of an earlier rotation end at once. Programs of a public application get
    the new token by themselves.
    """
    now = time.time()
    previous_until, expires_at = parse_expiry(overlap, now, option="--overlap"), parse_expiry(expires, now)
    administration = administration_of(target, reason)
    credentials = administration.rotate_credentials(
        application_id, previous_until=previous_until or 0, expires_at=expires_at
    )
    click.echo(json.dumps(credentials, indent=2))


@app.command()
@applications_argument
@reason_option
@target_options
def revoke(ids: tuple[str, ...], *, identifier: str | None, yes: bool, reason: str | None, target: Target) -> None:
    """Revoke the applications with these IDs.

    Their tokens, and one-time tokens that are not used yet, stop working. With --identifier, the command lists the
    applications and asks before it revokes them.
    """
    administration = administration_of(target, reason)
    chosen = select(administration, ids, identifier, question="Revoke these applications?", yes=yes)
    for application in administration.revoke_applications(chosen):
        click.echo(f"revoked {application.id} ({application.identifier})")


def _exposed(administration: "Administration | RemoteAdministration", approval: "Approval") -> str | None:
    from heksherlite.service.domain.groups import references
    from heksherlite.service.domain.tokens import Scope

    powerful = sorted(approval.scopes & {Scope.WRITE, Scope.AUDIT, Scope.ADMIN})
    if powerful:
        return f"the scope {powerful[0]}"
    groups = administration.list_groups()
    for name in approval.groups:
        for secret in references(groups.get(name, {})):
            return f"the secret {secret!r} in the group {name!r}"
    return None
