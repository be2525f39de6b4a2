"""Lists of applications, and the choice of those that a command changes."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.tables import print_table
from heksherlite.cli.times import format_time

if TYPE_CHECKING:
    from heksherlite.cli.administration import Administration
    from heksherlite.cli.remote_administration import RemoteAdministration
    from heksherlite.service.domain.applications import Application

_TITLES: Final = (
    "ID",
    "IDENTIFIER",
    "VERSION",
    "STATUS",
    "SCOPES",
    "SETTINGS",
    "GROUPS",
    "SINCE",
    "LAST USED",
    "EXPIRES",
)


def applications_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument ``ids`` and the options ``identifier`` and ``yes`` to a command; see `select`."""
    for add in (
        click.option("--yes", is_flag=True, help="With --identifier, do not ask."),
        click.option(
            "--identifier",
            metavar="IDENTIFIER",
            help="Choose all applications with this identifier instead of IDs. The command lists them and asks.",
        ),
        click.argument("ids", metavar="[ID]...", nargs=-1),
    ):
        command = add(command)
    return command


def select(
    administration: "Administration | RemoteAdministration",
    ids: Sequence[str],
    identifier: str | None,
    *,
    question: str,
    yes: bool,
) -> Sequence[str]:
    """Return the IDs of the applications that a command changes.

    An identifier is what an application calls itself. Another application may call itself the same, or use an ID as its
    identifier, so the applications with an identifier are listed for confirmation.

    Args:
        administration: Where the applications are.
        ids: The IDs on the command line.
        identifier: The identifier on the command line, or None.
        question: What to ask before the applications with an identifier are changed.
        yes: Whether not to ask.

    Raises:
        click.UsageError: There are both IDs and an identifier, or neither.
        click.ClickException: There is no application with the identifier.
        click.Abort: The person does not confirm.
    """
    if bool(ids) == (identifier is not None):
        raise click.UsageError("Give either IDs of applications or --identifier.")
    if identifier is None:
        return list(dict.fromkeys(ids))
    found = [each for each in administration.list_applications() if each.identifier == identifier]
    if not found:
        raise click.ClickException(
            f"there is no application with the identifier {identifier!r}; see heksherlite app list"
        )
    if not yes:
        print_applications(found, err=True)
        click.confirm(question, abort=True, err=True)
    return [application.id for application in found]


def print_applications(applications: Iterable["Application"], *, err: bool = False) -> None:
    """Print a table of applications, to the standard output or the standard error."""
    from heksherlite.service.domain.tokens import Scope

    now = time.time()
    rows = [
        (
            application.id,
            application.identifier,
            application.manifest.version or "-",
            application.status.value + " (expired)" * application.expired(now),
            ",".join(scope for scope in Scope if scope in application.approval.scopes) or "-",
            f"{application.approval.setting_prefix}*",
            ",".join(application.approval.groups) or "-",
            format_time(application.created_at),
            "-" if application.last_used_at is None else format_time(application.last_used_at),
            "never" if application.expires_at is None else format_time(application.expires_at),
        )
        for application in applications
    ]
    print_table(_TITLES, rows, err=err)
