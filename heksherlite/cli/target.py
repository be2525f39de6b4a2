"""What some commands work on: a database, or a service over HTTP."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from heksherlite.cli.location import database_option
from heksherlite.cli.profiles import complete_profiles
from heksherlite.cli.services import Service, service_of
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
_PROFILE_OPTION = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=complete_profiles,
    help="Work over HTTP on the service of this profile instead of the database. See heksherlite profile.",
)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options ``--database``, ``--url``, ``--profile``, ``--token`` and ``--header`` to a command."""
    return database_option(_URL_OPTION(_PROFILE_OPTION(credential_options(command))))


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets a `Target` as ``target``."""

    @wraps(command)
    def run(
        *,
        database: str | None,
        url: str | None,
        token: str | None,
        headers: Sequence[str],
        profile: str | None,
        **others: Any,
    ) -> None:
        context = click.get_current_context()
        service = chosen_service(context, url, token, headers, profile)
        if service is None:
            refuse_credentials(context, "--url")
            target = Target(database, None, None, ())
        else:
            target = Target(database, service.url, service.token, service.headers)
        command(target=target, **others)

    return place_options(run)


def chosen_service(
    context: click.Context, url: str | None, token: str | None, headers: Sequence[str], profile: str | None
) -> Service | None:
    """Return the service that options on the command line name, or None if they do not.

    Neither a variable nor the current profile chooses a service for a command that otherwise works on a database.

    Raises:
        click.UsageError: The options contradict each other.
        click.ClickException: There is no such profile.
    """
    if url is None and profile is None:
        return None
    option = "--profile" if url is None else "--url"
    if context.get_parameter_source("database") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"Give either --database or {option}.")
    return service_of(context, url, token, headers, profile)


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
