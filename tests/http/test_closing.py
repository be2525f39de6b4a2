"""Connections that are closed while requests are in progress: none is left to the garbage collector."""

import asyncio
import gc
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from heksherlite import AsyncHeksherClient
from heksherlite.engine.messages import Request
from heksherlite.http.connections import DirectConnections
from heksherlite.http.in_progress import ConnectionsClosedError
from heksherlite.http.transport import ResponseLimits, Transport
from heksherlite.service import embedded

HEALTH = Request("GET", "/api/health")
MORE = ["get_settings", "reload"]
LIMITS = ResponseLimits(5, 1000)


def warnings_of(work: Callable[[], Awaitable[object]]) -> list[str]:
    """Return the warnings of connections that were not closed."""

    async def run() -> None:
        await work()
        gc.collect()

    gc.collect()  # what other tests left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    return [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]


@pytest.mark.parametrize("method", ["ping", *(pytest.param(name, marks=pytest.mark.thorough) for name in MORE)])
def test_a_client_is_closed_at_any_step_of_a_request(method: str) -> None:
    """A ping or query that connects just then succeeds over connections of its own, which are closed too."""
    outcomes: list[Any] = []
    with embedded(context_features=["user"]) as service:

        async def close_after(steps: int) -> None:
            client = AsyncHeksherClient(service.url, 60, ["user"])
            client.track_contexts(user="a")
            await client.set_as_main()
            await client._transport.aclose()  # so that the next request connects
            tasks = [asyncio.ensure_future(getattr(client, method)()) for _ in range(2)]
            for _ in range(steps):
                await asyncio.sleep(0)
            await client.aclose()
            outcomes.extend(await asyncio.gather(*tasks, return_exceptions=True))

        for steps in range(1, 13, 3):
            assert warnings_of(lambda steps=steps: close_after(steps)) == []  # type: ignore[misc]
    if method != "reload":
        assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


@pytest.mark.anyio
async def test_a_request_ends_with_its_connection() -> None:
    """A request that waits for its response fails at once, and closing waits until it has."""
    outcomes: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = Transport(f"http://127.0.0.1:{server.getsockname()[1]}", None, LIMITS)

        async def send() -> None:
            outcomes.extend(await transport.send_all([HEALTH]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            accepted, _ = await anyio.to_thread.run_sync(server.accept)
            with accepted:
                await transport.aclose()
    (failure,) = outcomes
    assert isinstance(failure, ConnectionsClosedError)


@pytest.mark.anyio
async def test_a_hook_closes_the_client() -> None:
    """A request in whose hook the client is closed does not wait for itself, and fails."""
    with embedded() as service:
        transport: Transport

        async def close(_: httpx.Request) -> None:
            await transport.aclose()

        transport = Transport(service.url, {"event_hooks": {"request": [close]}}, LIMITS)
        with anyio.fail_after(5):
            (failure,) = await transport.send_all([HEALTH])
    assert isinstance(failure, ConnectionsClosedError)


def test_a_handshake_that_is_cancelled() -> None:
    """The connection on which TLS was being started is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def cancel() -> None:
            stream = await DirectConnections().connect_tcp("127.0.0.1", server.getsockname()[1])
            with anyio.move_on_after(0.01):
                await stream.start_tls(ssl.create_default_context(), "example.org")

        assert warnings_of(cancel) == []
