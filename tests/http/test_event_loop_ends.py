"""An event loop that ends while requests are under way prints no warning, at whatever step it ends."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Awaitable, Callable, Iterator

import pytest
from httpcore._backends.auto import AutoBackend

from heksherlite.engine.messages import Request
from heksherlite.http.connections import DirectConnections
from heksherlite.http.name_resolution import DaemonThreadResolution
from heksherlite.http.transport import ResponseLimits, Transport


def end_after(steps: int, work: Callable[[], Awaitable[object]]) -> list[str]:
    """Do some work for a number of steps of an event loop, end it as asyncio.run does, and return the warnings."""

    async def some_steps() -> None:
        task = asyncio.ensure_future(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        del task

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(some_steps())
        gc.collect()
    return [str(warning.message) for warning in caught if "never awaited" in str(warning.message)]


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("addresses", [1, 2])
@pytest.mark.thorough
def test_while_connecting(port: int, addresses: int) -> None:
    """No attempt to connect leaves anything behind that was not started."""

    async def connect() -> None:
        backend = DaemonThreadResolution(DirectConnections())
        stream = await backend._connect(["127.0.0.1"] * addresses, port, None, None)
        await stream.aclose()

    assert [end_after(steps, connect) for steps in range(12)] == [[]] * 12


def test_while_several_requests_are_sent(port: int) -> None:
    """No request that was not begun leaves anything behind."""
    transport = Transport(f"http://127.0.0.1:{port}", None, ResponseLimits(5, 1000))
    asyncio.run(transport._http_client())

    async def send() -> None:
        await transport.send_all([Request("GET", "/api/health")] * 3)

    assert [end_after(steps, send) for steps in range(6)] == [[]] * 6


def test_httpcore_alone_prints_a_warning(port: int) -> None:
    """The network backend of httpcore has the fault. When this fails, DirectConnections is not needed any more."""

    async def connect() -> None:
        stream = await AutoBackend().connect_tcp("127.0.0.1", port)
        await stream.aclose()

    assert any(end_after(steps, connect) for steps in range(12))
