"""Names are resolved in daemon threads, so that a name server that hangs keeps nothing from ending."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import httpcore
import httpx
import pytest
from httpcore._backends.anyio import AnyIOBackend

from heksherlite.http.construction import new_http_client
from heksherlite.http.name_resolution import DaemonThreadResolution

PROGRAM = """
import asyncio, socket, sys, threading, time
import anyio
hangs = threading.Event()
resolve = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if host == "settings.example":
        hangs.set()
        time.sleep(60)
    return resolve(host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
setting = Setting("x", int, ["user"], 1)
client_type = ThreadHeksherClient if sys.argv[1] == "thread" else AsyncHeksherClient
client = client_type("http://settings.example", 1, ["user"], startup="best-effort", startup_timeout=0.05)
client.track_contexts(user=TRACK_ALL)
async def main():
    await client.set_as_main()
    while not hangs.is_set():
        await anyio.sleep(0.01)
    if sys.argv[2] == "closes":
        await client.aclose()
if sys.argv[1] == "asyncio":
    asyncio.run(main())
elif sys.argv[1] == "trio":
    import trio
    trio.run(main)
else:
    client.set_as_main()
    hangs.wait(20)
    if sys.argv[2] == "closes":
        client.close()
print(hangs.is_set(), setting.get(user="a"), flush=True)
"""


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("asyncio", "leaves open"),
        ("trio", "leaves open"),
        ("thread", "closes"),
        pytest.param("asyncio", "closes", marks=pytest.mark.thorough),
        pytest.param("trio", "closes", marks=pytest.mark.thorough),
        pytest.param("thread", "leaves open", marks=pytest.mark.thorough),
    ],
)
def test_a_program_ends_while_a_name_server_hangs(kind: str, ending: str) -> None:
    """The event loop and the interpreter end at once, and print no warning."""
    command = [sys.executable, "-W", "default", "-c", PROGRAM, kind, ending]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    assert ended.stdout == "True 1\n"
    lines = ended.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error during heksher update: http://settings.example did not respond")


@pytest.fixture
def server() -> Iterator[int]:
    """Return the port of a server that listens on 127.0.0.1, and accepts nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[int]:
    """Resolve each name to addresses, and return the threads that do so."""
    threads: list[int] = []

    def getaddrinfo(_: str, port: int, **__: Any) -> list[Any]:
        threads.append(threading.get_ident())
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return threads


@pytest.mark.anyio
async def test_the_first_address_that_responds(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that refuse the connection are skipped. Names are resolved in another thread."""
    threads = resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    backend = DaemonThreadResolution(AnyIOBackend())
    stream = await backend.connect_tcp("settings.example", server, timeout=10)
    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    await stream.aclose()
    assert threads != [threading.get_ident()]
    assert len(threads) == 1


@pytest.mark.anyio
async def test_an_address_that_hangs(server: int) -> None:
    """An address that does not respond holds up the next one for a moment only, and its attempt is given up."""

    class Backend(AnyIOBackend):
        given_up = False

        async def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            if host == "2001:db8::1":
                try:
                    await anyio.sleep(30)
                finally:
                    self.given_up = True
            return await super().connect_tcp(host, *args, **kwargs)

    backend = Backend()
    with anyio.fail_after(10):
        stream = await DaemonThreadResolution(backend)._connect(["2001:db8::1", "127.0.0.1"], server, None, None)
    await stream.aclose()
    assert backend.given_up


@pytest.mark.anyio
async def test_failures(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown names, refused connections and time-outs are the exceptions of httpcore."""
    backend = DaemonThreadResolution(AnyIOBackend())
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3")
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("settings.example", server)

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpcore.ConnectError, match="not known"):
        await backend.connect_tcp("settings.example", server)
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30))
    began = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout):
        await backend.connect_tcp("settings.example", server, timeout=0.05)
    released.set()
    assert time.monotonic() - began < 20


@pytest.mark.anyio
async def test_every_transport_of_httpx_has_it() -> None:
    """The transports of a client, its proxies and those of the program are changed, once; others are not."""

    class Own(httpx.AsyncBaseTransport):
        pass

    mine = httpx.AsyncHTTPTransport(retries=1)
    mounts = {"http://a": mine, "http://b": Own(), "http://c": None}
    for _ in range(2):
        async with await new_http_client({"mounts": mounts, "proxy": "http://127.0.0.1:9"}) as client:
            pools = [
                transport._pool
                for transport in (client._transport, *client._mounts.values())
                if isinstance(transport, httpx.AsyncHTTPTransport)
            ]
            assert len(pools) == 3
            for pool in pools:
                assert isinstance(pool._network_backend, DaemonThreadResolution)
                assert not isinstance(pool._network_backend._backend, DaemonThreadResolution)


@pytest.mark.anyio
async def test_a_connection_that_is_made_when_it_is_cancelled_is_closed(server: int) -> None:
    """A connection that nobody receives is not left to the garbage collector."""
    made: list[httpcore.AsyncNetworkStream] = []

    class CancelsWhenConnected(AnyIOBackend):
        async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            made.append(await super().connect_tcp(*args, **kwargs))
            scope.cancel()
            return made[0]

    with anyio.CancelScope() as scope:
        await DaemonThreadResolution(CancelsWhenConnected()).connect_tcp("127.0.0.1", server)
    assert scope.cancelled_caught
    assert made[0].get_extra_info("socket").fileno() == -1
