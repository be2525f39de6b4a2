"""The service that a command manages: the options that name it, and the client for it."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from heksherlite.cli.profiles import complete_profiles, read_profiles
from heksherlite.cli.source import credential_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from heksherlite.admin import AdminClient

DEFAULT_URL: Final = "http://127.0.0.1:8888"
"""Where ``heksherlite serve`` listens by default."""

_MISSING: Final = re.compile(r"setting '([^']+)' does not exist$")

_URL: Final = click.option(
    "--url",
    metavar="URL",
    envvar="HEKSHER_URL",
    show_envvar=True,
    help="The URL of the service. By default that of the profile, or a service on this machine.",
)
_PROFILE: Final = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=complete_profiles,
    help="The profile to use, in place of the current one. See heksherlite profile.",
)


@dataclass(frozen=True, slots=True)
class Service:
    """The service that a command manages.

    Attributes:
        url: Its URL.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.
    """

    url: str
    token: str | None
    headers: Sequence[str] = ()

    @contextmanager
    def connect(self, *, seconds: float = 600) -> Iterator[AdminClient]:
        """Return a client for operators of the service. Its errors become the command's.

        Args:
            seconds: The time limit for a response.

        Raises:
            click.ClickException: The service does not answer, or refuses a request.
        """
        from heksherlite.admin import AdminError
        from heksherlite.cli.source import admin_client_of
        from heksherlite.errors import ServiceResponseError

        try:
            with admin_client_of(self.url, self.token, self.headers, seconds=seconds) as admin:
                yield admin
        except (AdminError, ServiceResponseError) as error:
            raise click.ClickException(f"{error}{self._hint(error)}") from error

    def _hint(self, error: Exception) -> str:
        """Return the setting that was probably meant, if one does not exist."""
        from heksherlite.cli.source import admin_client_of
        from heksherlite.errors import AdminError
        from heksherlite.names import nearest_name

        missing = _MISSING.search(str(error))
        if missing is None:
            return ""
        with suppress(AdminError), admin_client_of(self.url, self.token, self.headers) as admin:
            nearest = nearest_name(missing[1], [each.name for each in admin.list_settings()])
            return f"; did you mean {nearest}?" if nearest else "; heksherlite settings list lists all settings"
        return ""


def service_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a service to a command, which gets a `Service` as ``service``."""

    @wraps(command)
    def run(*, url: str | None, token: str | None, headers: Sequence[str], profile: str | None, **others: Any) -> None:
        context = click.get_current_context()
        command(service=service_of(context, url, token, headers, profile), **others)

    return _URL(_PROFILE(credential_options(run)))


def service_of_profile(name: str) -> Service:
    """Return the service of a profile.

    Raises:
        click.ClickException: There is no such profile.
    """
    chosen = read_profiles().get(name)
    return Service(chosen.url, chosen.token)


def service_of(
    context: click.Context, url: str | None, token: str | None, headers: Sequence[str], profile: str | None
) -> Service:
    """Return the service: by the options, or else by the variables, or else by the profile.

    Args:
        context: The context of the command, which tells options from variables.
        url: The value of ``--url``.
        token: The value of ``--token``.
        headers: The values of ``--header``.
        profile: The value of ``--profile``.

    Raises:
        click.UsageError: The options contradict each other.
        click.ClickException: There is no such profile.
    """
    if profile is not None:
        if context.get_parameter_source("url") is ParameterSource.COMMANDLINE:
            raise click.UsageError("Give either --url or --profile.")
        chosen = read_profiles().get(profile)
        is_option = context.get_parameter_source("token") in {ParameterSource.COMMANDLINE, ParameterSource.PROMPT}
        given = token if is_option else None
        return Service(chosen.url, given or chosen.token, headers)
    if url is not None:
        # The token of a profile goes to the service of the profile only.
        return Service(url, token, headers)
    profiles = read_profiles()
    if profiles.current is None:
        return Service(DEFAULT_URL, token, headers)
    chosen = profiles.get(profiles.current)
    return Service(chosen.url, token or chosen.token, headers)
