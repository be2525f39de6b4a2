"""A service that a command reads from."""

import re
from collections.abc import Sequence
from typing import Final

import click

from heksherlite.engine.messages import Request, Response
from heksherlite.engine.snapshots import LARGEST
from heksherlite.http.transport import ResponseLimits, Transport

_SECONDS: Final = 60
"""For how long the service may be silent: what it is asked for at once is more than any client asks for."""

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~\w-]+): *([ -~]*)", re.ASCII)

header_option = click.option(
    "--header",
    "headers",
    metavar='"NAME: VALUE"',
    multiple=True,
    help="A header for every request, such as one with a token; may be given several times.",
)


def transport_to(url: str, headers: Sequence[tuple[str, str]]) -> Transport:
    """Return a connection to the service at a URL.

    Raises:
        click.BadParameter: It is no URL of a service.
    """
    limits = ResponseLimits(response_timeout=10 * _SECONDS, max_body_size=LARGEST)
    try:
        return Transport(url, {"headers": [*headers], "timeout": _SECONDS}, limits)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error


async def ask(transport: Transport, requests: Sequence[Request]) -> list[Response]:
    """Return the responses to requests.

    Raises:
        click.ClickException: There is none to one of them.
    """
    responses = []
    for response in await transport.send_all(requests):
        if isinstance(response, Exception):
            raise click.ClickException(f"no response from {transport}: {str(response) or repr(response)}") from response
        responses.append(response)
    return responses


def parsed_headers(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the names and values of headers.

    Raises:
        click.BadParameter: A text is no header.
    """
    headers = []
    for text in texts:
        match = _HEADER.fullmatch(text)
        if match is None:
            # Without the text, which may be a secret.
            raise click.BadParameter('expected "Name: value", in printable ASCII characters', param_hint="--header")
        headers.append((match[1], match[2]))
    return headers
