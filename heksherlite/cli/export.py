"""``heksherlite export``: make a snapshot of a service, for programs that are to start without it."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import click

from heksherlite.clients.snapshot_file import replace_file
from heksherlite.clients.transport import AnswerLimits, Transport
from heksherlite.engine import protocol
from heksherlite.engine.messages import Answer, Request
from heksherlite.engine.query_answers import read_query
from heksherlite.engine.query_events import FeatureOrder
from heksherlite.engine.snapshots import EVERYTHING, LARGEST, KeptAnswer, Snapshot, encode
from heksherlite.errors import ServiceAnswerError, SnapshotError

_SECONDS: Final = 60
"""For how long the service may be silent: what it is asked for at once is more than any client asks for."""

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~\w-]+): *([ -~]*)", re.ASCII)


@click.command()
@click.argument("url")
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Where the snapshot goes; - is the standard output.",
)
@click.option(
    "--header",
    "headers",
    metavar='"NAME: VALUE"',
    multiple=True,
    help="A header for every request, such as one with a token; may be given several times.",
)
@click.option(
    "--settings", metavar="NAMES", help="The settings to export, separated by commas. By default all of them."
)
def export(url: str, output: str, headers: Sequence[str], settings: str | None) -> None:
    """Make a snapshot of the service at URL: its settings with all their rules.

    Programs start from it when they cannot reach a service, whichever that is.
    """
    names = _names(settings)
    try:
        args = {"headers": [_header(text) for text in headers], "timeout": _SECONDS}
        transport = Transport(url, args, AnswerLimits(response_timeout=10 * _SECONDS, max_body_size=LARGEST))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error
    try:
        snapshot = anyio.run(_take, transport, names)
        data = encode(snapshot)
    except (ServiceAnswerError, SnapshotError) as error:
        raise click.ClickException(f"cannot make a snapshot of {transport}: {error}") from error
    try:
        if output == "-":
            with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
                stdout.write(data)
        else:
            replace_file(Path(output), data, mode=0o666)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error


async def _take(transport: Transport, names: Sequence[str] | None) -> Snapshot:
    try:
        if names is None:
            (listed,) = await _ask(transport, [protocol.ALL_SETTINGS])
            names = list(protocol.read_settings(listed))
        queries = [protocol.query(portion, EVERYTHING, None) for portion in protocol.portions(names)]
        answers = await _ask(transport, queries)
        (order,) = await _ask(transport, [protocol.CONTEXT_FEATURES])
    finally:
        await transport.aclose()
    context_features = protocol.read_context_features(order)
    for answer in answers:
        _check(answer, context_features)
    return Snapshot("", context_features, EVERYTHING, datetime.now(UTC), tuple(map(KeptAnswer.of, answers)))


async def _ask(transport: Transport, requests: Sequence[Request]) -> list[Answer]:
    answers = []
    for answer in await transport.send(requests):
        if isinstance(answer, Exception):
            raise click.ClickException(f"no answer from {transport}: {str(answer) or repr(answer)}") from answer
        answers.append(answer)
    return answers


def _check(answer: Answer, context_features: tuple[str, ...]) -> None:
    """Read an answer as a client will.

    Raises:
        ServiceAnswerError: If it is not what it should be.
    """
    if answer.status != 200:
        reason = f"status {answer.status}, {answer.content[:200].decode(errors='replace')!r}"
        raise ServiceAnswerError(str(answer.request), reason)
    for event in read_query(answer):
        if isinstance(event, FeatureOrder) and event.names != context_features:
            raise ServiceAnswerError(str(answer.request), "the context features just changed, so try again")


def _names(settings: str | None) -> list[str] | None:
    if settings is None:
        return None
    names = [name.strip() for name in settings.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("there is no name in it", param_hint="--settings")
    return names


def _header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        # Without the text, which may be a secret.
        raise click.BadParameter('expected "Name: value", in printable ASCII characters', param_hint="--header")
    return match[1], match[2]
