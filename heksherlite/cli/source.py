"""A service that a command reads from over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from heksherlite.cli.secret_option import SecretOption

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heksherlite.admin import AdminClient
    from heksherlite.engine.messages import Request, Response
    from heksherlite.http.transport import Transport

_SECONDS: Final = 60
"""How long the service may be silent. A command requests more at once than any client does."""

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~\w-]+): *([ -~]*)", re.ASCII)

_HEADER_OPTION: Final = click.option(
    "--header",
    "headers",
    metavar='"NAME: VALUE"',
    multiple=True,
    help="A header to send with every request. Repeat the option for several.",
)
_TOKEN_OPTION: Final = click.option(
    "--token",
    cls=SecretOption,
    envvar="HEKSHER_TOKEN",
    show_envvar=True,
    prompt="Token of the service",
    help="The token for the service. Without a value, the command asks for the token, or reads it from the standard"
    " input, because other users of the machine can see the list of processes.",
)


def credential_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options ``--token`` and ``--header`` to a command that reads from a service."""
    return _TOKEN_OPTION(_HEADER_OPTION(command))


def refuse_credentials(context: click.Context, missing: str) -> None:
    """Refuse credentials on the command line for a command that reads from no service.

    Raises:
        click.UsageError: There are some.
    """
    for name in ("token", "headers"):
        if context.get_parameter_source(name) in {ParameterSource.COMMANDLINE, ParameterSource.PROMPT}:
            option = "--token" if name == "token" else "--header"
            raise click.UsageError(f"{option} needs {missing}, the URL of a service.")


def transport_to(url: str, token: str | None, headers: Sequence[str]) -> Transport:
    """Return a connection to the service at a URL.

    Args:
        url: Where the service is.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.

    Raises:
        click.BadParameter: The URL, the token or a header is malformed.
    """
    from heksherlite.engine.snapshots import LARGEST
    from heksherlite.http.transport import ResponseLimits, Transport

    limits = ResponseLimits(response_timeout=10 * _SECONDS, max_body_size=LARGEST)
    sent = _parse_headers(headers)
    if token is not None:
        sent.append(("Authorization", f"Bearer {_checked(token)}"))
    try:
        return Transport(url, {"headers": sent, "timeout": _SECONDS}, limits)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error


def admin_client_of(
    url: str, token: str | None, headers: Sequence[str], *, seconds: float = 10 * _SECONDS
) -> AdminClient:
    """Return a client for operators of the service at a URL.

    Args:
        url: Where the service is.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.
        seconds: The time limit for a response.

    Raises:
        click.BadParameter: The URL, the token or a header is malformed.
    """
    from heksherlite.admin import AdminClient

    args = {"headers": _parse_headers(headers)}
    checked = None if token is None else _checked(token)
    try:
        return AdminClient(url, token=checked, http_client_args=args, response_timeout=seconds)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error


async def ask(transport: Transport, requests: Sequence[Request]) -> list[Response]:
    """Return the responses to requests.

    Raises:
        click.ClickException: A request got no response.
    """
    responses = []
    for response in await transport.send_all(requests):
        if isinstance(response, Exception):
            raise click.ClickException(f"no response from {transport}: {str(response) or repr(response)}") from response
        responses.append(response)
    return responses


def _checked(token: str) -> str:
    if not (token.isascii() and token.isprintable() and token.strip()):
        raise click.BadParameter("expected printable ASCII characters", param_hint="--token")
    return token.strip()


def _parse_headers(texts: Sequence[str]) -> list[tuple[str, str]]:
    headers = []
    for text in texts:
        match = _HEADER.fullmatch(text)
        if match is None:
            # The message leaves out the text, which may be a secret.
            raise click.BadParameter('expected "Name: value", in printable ASCII characters', param_hint="--header")
        headers.append((match[1], match[2]))
    return headers
