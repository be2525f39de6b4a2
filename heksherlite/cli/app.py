"""``heksherlite app``: the applications that get their configuration from the service."""

import json
import time
from typing import TYPE_CHECKING

import click

from heksherlite.cli.access_mode import AccessMode, access_options
from heksherlite.cli.applications import applications_argument, print_applications, select
from heksherlite.cli.approvals import approval_options
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, print_one, print_rows
from heksherlite.cli.target import Target, administration_of, target_options
from heksherlite.cli.times import format_time, parse_expiry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heksherlite.cli.administration import Administration
    from heksherlite.cli.remote_administration import RemoteAdministration
    from heksherlite.service.domain.applications import Application, Approval


@click.group(cls=CommandGroup)
def app() -> None:
    """Approve, invite, list and revoke applications.

    An application gets its configuration when a person approves it, on the service's page or by app approve, when it
    has a one-time token of app invite, or when app register makes it public. These commands work on the database of
    the service, whether it runs or not, and a running service notices a change within a second. With --url, they work
    on the service over HTTP.
    """


@app.command(name="list")
@output_option
@target_options
def list_(output: FORMATS, target: Target) -> None:
    """List the applications."""
    applications = administration_of(target).list_applications()
    if output == "table":
        print_applications(applications)
    else:
        _print_details(output, applications)


@app.command()
@click.argument("application_id", metavar="ID")
@output_option
@target_options
def show(application_id: str, output: FORMATS, target: Target) -> None:
    """Show the application ID as JSON, without secrets."""
    from heksherlite.cli.access_rows import application_details

    applications = administration_of(target).list_applications()
    found = next((each for each in applications if each.id == application_id), None)
    if found is None:
        raise click.ClickException(f"there is no application with the ID {application_id!r}; see heksherlite app list")
    described = {**found.described(), "last_used_at": found.last_used_at}
    print_one(output, application_details(found), lambda: json.dumps(described, indent=2, ensure_ascii=False))


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
@access_options
def invite(identifier: str, approval: "Approval", expires: str, mode: AccessMode) -> None:
    """Create a one-time token for the application IDENTIFIER.

    The command prints the token, which is shown only this once. One application can use it, one time.
    """
    expires_at = parse_expiry(expires, time.time())
    if mode.dry_run:
        mode.report("invite application", identifier)
        return
    text = mode.administration.invite(identifier, approval, expires_at=expires_at)
    print_one(mode.output, {"identifier": identifier, "one_time_token": text}, lambda: text)


@app.command()
@click.argument("identifier")
@click.option("--public", is_flag=True, required=True, help="Confirm that everyone may get the configuration.")
@click.option(
    "--redirect-uri", metavar="URI", help="The address of the application. A request with another one is refused."
)
@approval_options
@click.option("--force", is_flag=True, help="Allow the scopes write and admin, and groups with secrets.")
@access_options
def register(
    identifier: str,
    approval: "Approval",
    *,
    public: bool,  # noqa: ARG001  # required, so that nobody registers an application by accident
    redirect_uri: str | None,
    force: bool,
    mode: AccessMode,
) -> None:
    """Register the public application IDENTIFIER.

    Every program that claims to be IDENTIFIER gets its configuration and the same token, so the token should allow
    little. The scopes write, audit and admin, and groups with secrets, need --force.
    """
    administration = mode.administration
    if not force and (exposed := _exposed(administration, approval)):
        raise click.ClickException(
            f"every program that claims to be {identifier!r} would get {exposed}; --force registers it all the same"
        )
    if mode.dry_run:
        mode.report("register application", identifier)
        return
    _print_id(mode, administration.register(identifier, approval, redirect_uri=redirect_uri))


@app.command()
@click.argument("code")
@approval_options
@click.option("--yes", is_flag=True, help="Approve without asking.")
@access_options
def approve(code: str, approval: "Approval", *, yes: bool, mode: AccessMode) -> None:
    """Approve the application that shows CODE.

    The command prints what the application requests and what it is granted, and asks before it approves. Then it
    prints the ID of the application.
    """
    administration = mode.administration
    pending = administration.open_code(code)
    manifest = pending.manifest
    click.echo(f"application: {manifest.identifier} {manifest.version}", err=True)
    click.echo(f"address: {pending.address or 'unknown'}", err=True)
    click.echo(f"requested scopes: {', '.join(manifest.scopes) or 'none'}", err=True)
    click.echo(f"granted scopes: {', '.join(sorted(approval.scopes)) or 'none'}", err=True)
    if mode.dry_run:
        mode.report("approve application", manifest.identifier)
        return
    if not yes:
        click.confirm("Approve this application?", abort=True, err=True)
    _print_id(mode, administration.approve(code, approval))


@app.command()
@click.argument("code")
@access_options
def deny(code: str, mode: AccessMode) -> None:
    """Deny the application that shows CODE."""
    administration = mode.administration
    pending = administration.open_code(code)
    if not mode.dry_run:
        administration.deny(code)
    mode.report("deny application", pending.manifest.identifier)


@app.command()
@applications_argument
@click.option(
    "--expires",
    metavar="WHEN",
    required=True,
    help="When they expire: a time from now, such as 90d, a date in UTC, such as 2030-01-31, or never.",
)
@access_options
def expire(ids: tuple[str, ...], *, identifier: str | None, yes: bool, expires: str, mode: AccessMode) -> None:
    """Decide when the credentials of the applications with these IDs expire.

    From then on, the applications are refused, as if they were revoked, until their expiry is changed. A time in the
    past or 0h ends them at once. With --identifier, the command lists the applications and asks before it changes them.
    """
    expires_at = None if expires == "never" else parse_expiry(expires, time.time())
    administration = mode.administration
    asked = yes or mode.dry_run
    chosen = select(administration, ids, identifier, question="Change the expiry of these applications?", yes=asked)
    if mode.dry_run:
        _report_known(mode, "change the expiry of", chosen)
        return
    applications = administration.expire_applications(chosen, expires_at)
    if mode.output != "table":
        _print_details(mode.output, applications)
        return
    for application in applications:
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
@access_options
def rotate(application_id: str, *, overlap: str, expires: str | None, mode: AccessMode) -> None:
    """Replace the credentials of the application ID, and print the new ones as JSON.

    They are printed only this once: claim_token, with which the program claims its configuration, and what follows
    from it: api_token, the token for the API, and client_id and client_secret for OAuth2. The present credentials work
    until the end of the overlap, and those of an earlier rotation end at once. Programs of a public application get
    the new token by themselves.
    """
    now = time.time()
    previous_until, expires_at = parse_expiry(overlap, now, option="--overlap"), parse_expiry(expires, now)
    if mode.dry_run:
        _report_known(mode, "replace the credentials of", [application_id])
        return
    credentials = mode.administration.rotate_credentials(
        application_id, previous_until=previous_until or 0, expires_at=expires_at
    )
    print_one(mode.output, credentials, lambda: json.dumps(credentials, indent=2))


@app.command()
@applications_argument
@access_options
def revoke(ids: tuple[str, ...], *, identifier: str | None, yes: bool, mode: AccessMode) -> None:
    """Revoke the applications with these IDs.

    Their tokens, and one-time tokens that are not used yet, stop working. With --identifier, the command lists the
    applications and asks before it revokes them.
    """
    administration = mode.administration
    question = "Revoke these applications?"
    chosen = select(administration, ids, identifier, question=question, yes=yes or mode.dry_run)
    if mode.dry_run:
        _report_known(mode, "revoke", chosen)
        return
    applications = administration.revoke_applications(chosen)
    if mode.output != "table":
        _print_details(mode.output, applications)
        return
    for application in applications:
        click.echo(f"revoked {application.id} ({application.identifier})")


def _print_id(mode: AccessMode, application_id: str) -> None:
    print_one(mode.output, {"id": application_id}, lambda: application_id)


def _print_details(output: FORMATS, applications: "Sequence[Application]") -> None:
    from heksherlite.cli.access_rows import application_details

    print_rows(output, [application_details(each) for each in applications], {})


def _report_known(mode: AccessMode, action: str, ids: "Sequence[str]") -> None:
    """Print what a dry run would do to applications, which must exist."""
    known = {application.id for application in mode.administration.list_applications()}
    if unknown := [each for each in ids if each not in known]:
        raise click.ClickException(f"there is no application with the ID {unknown[0]!r}; see heksherlite app list")
    mode.report(action, *ids)


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
