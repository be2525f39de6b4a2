"""A snapshot of a service, for programs that cannot reach it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import anyio
import click

from heksherlite.cli.source import ask, transport_to
from heksherlite.engine import protocol
from heksherlite.engine.messages import Response
from heksherlite.engine.queries import ContextFilter, Query, divide_names
from heksherlite.engine.query_events import FeatureOrder
from heksherlite.engine.query_responses import read_query
from heksherlite.engine.snapshots import EVERYTHING, KeptResponse, Snapshot, encode
from heksherlite.errors import ServiceResponseError, SnapshotError
from heksherlite.http.transport import Transport


def take_snapshot(url: str, token: str | None, headers: Sequence[str], names: Sequence[str] | None) -> bytes:
    """Return a snapshot of a service.

    Args:
        url: Where the service is.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.
        names: The settings; None for all of them.

    Raises:
        click.ClickException: The service does not respond, or a response is malformed.
    """
    transport = transport_to(url, token, headers)
    try:
        return encode(anyio.run(_take, transport, names))
    except (ServiceResponseError, SnapshotError) as error:
        raise click.ClickException(f"cannot take a snapshot of {transport}: {error}") from error


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
        ServiceResponseError: The response is malformed.
    """
    if response.status != 200:
        reason = f"status {response.status}, {response.content[:200].decode(errors='replace')!r}"
        raise ServiceResponseError(str(response.request), reason)
    for event in read_query(response):
        if isinstance(event, FeatureOrder) and event.names != context_features:
            raise ServiceResponseError(str(response.request), "the context features just changed, so try again")
