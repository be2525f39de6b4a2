"""Copies of transports for forked processes."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from heksherlite.http.forked import without_connections
from heksherlite.http.sync_adapters import SyncTransportAdapter
from heksherlite.http.transport import ResponseLimits, Transport
from tests.sdk.scripted_service import ScriptedService

LIMITS = ResponseLimits(response_timeout=10, max_body_size=1000)


class Retries(httpx.BaseTransport):
    """A transport of a program that contains one of httpx."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = self.inner.handle_request(request)
        return response

    def close(self) -> None:
        self.inner.close()


class Sockets(httpx.BaseTransport):
    """A transport that does not use httpx."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.close()


class Client(httpx.BaseTransport):
    """A transport that contains a client."""

    def __init__(self) -> None:
        self.client = httpx.Client()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.client.send(request)

    def close(self) -> None:
        self.client.close()


SYNCHRONOUS: list[Callable[[], Any]] = [
    lambda: httpx.HTTPTransport(retries=1),
    lambda: Retries(httpx.HTTPTransport()),
    lambda: Retries(Retries(httpx.HTTPTransport())),
    Client,
]


@pytest.mark.parametrize("make", SYNCHRONOUS)
def test_synchronous_transports(make: Callable[[], Any], scripted: ScriptedService) -> None:
    """The copy opens a connection of its own, and the original keeps using its own."""
    original = make()
    request = httpx.Request("GET", f"{scripted.url}/api/health")
    original.handle_request(request).read()
    assert scripted.connections == 1
    duplicate = without_connections(original)
    duplicate.handle_request(request).read()
    original.handle_request(request).read()
    duplicate.handle_request(request).read()
    assert scripted.connections == 2
    original.close()
    duplicate.close()


def test_asynchronous_transports(scripted: ScriptedService) -> None:
    """The copy opens a connection of its own."""

    async def get(transport: httpx.AsyncBaseTransport) -> int:
        response = await transport.handle_async_request(httpx.Request("GET", f"{scripted.url}/api/health"))
        await response.aread()
        return scripted.connections

    async def main() -> None:
        async with httpx.AsyncHTTPTransport(retries=2) as original:
            assert await get(original) == 1
            async with without_connections(original) as duplicate:
                assert await get(duplicate) == 2
                assert await get(original) == 2
                assert duplicate._pool._retries == 2

    anyio.run(main)


def test_a_lock_that_another_thread_held() -> None:
    """The copy works although another thread of the parent held the lock of the pool during the fork."""
    original = httpx.HTTPTransport()
    locked = threading.Event()
    released = threading.Event()

    def hold() -> None:
        with original._pool._optional_thread_lock:
            locked.set()
            released.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait()
    try:
        without_connections(original).close()
    finally:
        released.set()
        thread.join()


def test_proxies_are_kept() -> None:
    """The options of the original are kept, such as a proxy."""
    original = httpx.HTTPTransport(proxy="http://joe:hunter2@proxy:3128")
    duplicate = without_connections(original)
    assert duplicate._pool._proxy_url == original._pool._proxy_url  # type: ignore[attr-defined]
    assert duplicate._pool._connections is not original._pool._connections


def test_transports_in_memory() -> None:
    """Transports without connections are used as they are."""
    mock = httpx.MockTransport(lambda _: httpx.Response(200))
    assert without_connections(mock) is mock
    assert without_connections(None) is None
    assert isinstance(without_connections(SyncTransportAdapter(mock)), SyncTransportAdapter)


@pytest.mark.parametrize("args", [{"transport": Sockets()}, {"mounts": {"http://": SyncTransportAdapter(Sockets())}}])
def test_unknown_transports(args: Any) -> None:
    """A transport whose connections are unknown is not used in a forked process, and the error says what to do."""
    transport = Transport("http://host", args, LIMITS).copy()
    with pytest.raises(TypeError, match="create the client after the fork"):
        anyio.run(transport._http_client)


def test_mounts(scripted: ScriptedService) -> None:
    """Mounted transports are copied too."""
    mounted = httpx.AsyncHTTPTransport()
    duplicate = Transport(scripted.url, {"mounts": {"http://": mounted, "https://": None}}, LIMITS).copy()
    mounts = duplicate._http_client_args["mounts"]
    assert mounts["http://"]._pool is not mounted._pool
    assert mounts["https://"] is None
