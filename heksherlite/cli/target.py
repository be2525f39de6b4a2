"""What ``heksherlite token``, ``app`` and ``group`` work on: a database, or a service over HTTP."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from heksherlite.cli.location import database_option
from heksherlite.cli.source import credential_options, refuse_credentials

if TYPE_CHECKING:
    from heksherlite.cli.administration import Administration
    from heksherlite.cli.remote_administration import RemoteAdministration


class Target(NamedTuple):
    """What a command works on.

    Attributes:
        database: The URL of the database; None for the default one.
        url: The URL of the service; None for the database.
        token: The token for the service, or None.
        headers: Further headers for the service, each ``Name: value``.
    """

    database: str | None
    url: str | None
    token: str | None
    headers: Sequence[str]


_URL_OPTION = click.option(
    "--url",
    metavar="URL",
    help="Work over HTTP on the service at this URL instead of the database. The token needs the scope admin and no"
    " setting prefix.",
)


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets a `Target` as ``target``."""

    @wraps(command)
    def run(*, database: str | None, url: str | None, token: str | None, headers: Sequence[str], **others: Any) -> None:
        context = click.get_current_context()
        if url is None:
            refuse_credentials(context, "--url")
        elif context.get_parameter_source("database") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("Give either --database or --url.")
        command(target=Target(database, url, token, headers), **others)

    return database_option(_URL_OPTION(credential_options(run)))


def administration_of(target: Target, reason: str | None = None) -> "Administration | RemoteAdministration":
    """Return the tokens, applications, groups and secrets that a command works on.

    Args:
        target: The database or service.
        reason: Why something is changed, for the history.
    """
    if target.url is None:
        from heksherlite.cli.administration import Administration

        return Administration(target.database, reason)
    from heksherlite.cli.remote_administration import RemoteAdministration

    return RemoteAdministration(target.url, target.token, target.headers, reason)
