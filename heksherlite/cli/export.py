"""``heksherlite export``: everything in a database, for an import; or a snapshot of a service, for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import click

from heksherlite.cli.location import database_option
from heksherlite.cli.source import ask, header_option, parsed_headers, transport_to
from heksherlite.clients.snapshot_file import replace_file
from heksherlite.engine import protocol
from heksherlite.engine.messages import Response
from heksherlite.engine.queries import ContextFilter, Query, divide_names
from heksherlite.engine.query_events import FeatureOrder
from heksherlite.engine.query_responses import read_query
from heksherlite.engine.snapshots import EVERYTHING, KeptResponse, Snapshot, encode
from heksherlite.errors import ServiceResponseError, SnapshotError
from heksherlite.http.transport import Transport


@click.command()
@click.argument("url", required=False)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Where the export or the snapshot goes; - is the standard output.",
)
@database_option
@header_option
@click.option(
    "--settings", metavar="NAMES", help="The settings of a snapshot, separated by commas. By default all of them."
)
def export(url: str | None, output: str, database: str | None, headers: Sequence[str], settings: str | None) -> None:
    """Write all settings and rules of a database into a file, which heksherlite import takes back.

    With the URL of a service, make a snapshot instead: programs start from it when they cannot reach a service,
    whichever that is.
    """
    if url is None:
        if headers or settings is not None:
            raise click.UsageError("--header and --settings are about a snapshot, and there is no URL.")
        from heksherlite.cli.backup import exported  # noqa: PLC0415  # requires the service extra, and a snapshot does not

        with exported(database) as lines:
            _write(output, lines)
        return
    names = _names(settings)
    transport = transport_to(url, parsed_headers(headers))
    try:
        snapshot = anyio.run(_take, transport, names)
        data = encode(snapshot)
    except (ServiceResponseError, SnapshotError) as error:
        raise click.ClickException(f"cannot make a snapshot of {transport}: {error}") from error
    _write(output, [data])


def _write(output: str, pieces: Iterable[bytes]) -> None:
    try:
        if output == "-":
            with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
                stdout.writelines(pieces)
        else:
            replace_file(Path(output), pieces, mode=0o666)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error


async def _take(transport: Transport, names: Sequence[str] | None) -> Snapshot:
    try:
        if names is None:
            (listed,) = await ask(transport, [protocol.ALL_SETTINGS])
            names = list(protocol.read_settings(listed))
        everything = ContextFilter(EVERYTHING)
        queries = [protocol.query(Query(part, everything), None) for part in divide_names(names)]
        responses = await ask(transport, queries)
        (order,) = await ask(transport, [protocol.CONTEXT_FEATURES])
    finally:
        await transport.aclose()
    context_features = protocol.read_context_features(order)
    for response in responses:
        _check(response, context_features)
    return Snapshot("", context_features, EVERYTHING, datetime.now(UTC), tuple(map(KeptResponse.of, responses)))


def _check(response: Response, context_features: tuple[str, ...]) -> None:
    """Read a response as a client will.

    Raises:
        ServiceResponseError: If it is not what it should be.
    """
    if response.status != 200:
        reason = f"status {response.status}, {response.content[:200].decode(errors='replace')!r}"
        raise ServiceResponseError(str(response.request), reason)
    for event in read_query(response):
        if isinstance(event, FeatureOrder) and event.names != context_features:
            raise ServiceResponseError(str(response.request), "the context features just changed, so try again")


def _names(settings: str | None) -> list[str] | None:
    if settings is None:
        return None
    names = [name.strip() for name in settings.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("there is no name in it", param_hint="--settings")
    return names
