"""Beacons over real UDP sockets, with other programs that send garbage to the same port."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import DiscoveryError
from heksherlite.grants import AdvertisedDiscovery, StaticGrant
from heksherlite.grants.remote.beacon import advertise, decode_beacon, encode_beacon, listen_for_beacons
from tests.grants.endpoint import CONFIG, Scripted, ScriptedEndpoint
from tests.sdk.conftest import Log
from tests.waiting import SECONDS

LOCAL = "127.255.255.255"

GARBAGE = [
    b"",
    b"hello",
    b"beacon-fakts",
    b"beacon-fakts{",
    b"beacon-fakts[]",
    b'beacon-fakts{"url": 1}',
    b'beacon-fakts{"url": "ftp://host/"}',
    b'beacon-fakts{"url": "http://user:hunter2@host/"}',
    b'beacon-fakts{"url": "http://[::1"}',
    b'beacon-fakts{"url": "http://host/\\u001b[2J"}',
    b'beacon-fakts{"other": "http://host/"}',
    b'beacon-faktz{"url": "http://host/"}',
    b"beacon-fakts\xff\xfe",
    b"beacon-fakts" + b"[" * 2000,
    b"beacon-fakts" + b'{"url": "http://host/' + b"x" * 3000 + b'"}',
]


@pytest.fixture
def port() -> int:
    """Return a UDP port that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        number: int = probe.getsockname()[1]
        return number


@contextmanager
def sender(port: int) -> Iterator[socket.socket]:
    """Return a socket that sends to a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.connect(("127.0.0.1", port))
        yield sending


def test_encoding() -> None:
    """A beacon is the text beacon-fakts followed by JSON with the URL."""
    assert encode_beacon("http://host:1") == b'beacon-fakts{"url":"http://host:1"}'
    assert decode_beacon(b'beacon-fakts {"url": "http://host:1", "other": 1}') == "http://host:1"


@pytest.mark.parametrize("url", ["", "host", "ftp://host", "http://", "http://host/" + "x" * 2048])
def test_invalid_urls(url: str) -> None:
    """A URL that is not an HTTP URL, or is too long, is rejected."""
    with pytest.raises(ValueError, match="URL"):
        encode_beacon(url)


@pytest.mark.parametrize("content", GARBAGE)
def test_datagrams_that_are_not_beacons(content: bytes) -> None:
    """Datagrams that are not beacons are ignored."""
    assert decode_beacon(content) is None


@given(st.binary(max_size=100))
def test_arbitrary_datagrams(content: bytes) -> None:
    """No datagram raises an exception."""
    for datagram in (content, b"beacon-fakts" + content, b'beacon-fakts{"url":"http://' + content + b'"}'):
        url = decode_beacon(datagram)
        assert url is None or url.startswith(("http://", "https://"))


@pytest.mark.anyio
async def test_several_listeners(port: int) -> None:
    """Two programs on one port receive the broadcasts of a third repeatedly."""
    with anyio.fail_after(SECONDS), listen_for_beacons(port=port) as first, listen_for_beacons(port=port) as second:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(advertise, "http://host:1", [LOCAL], port=port, interval=0.01))
            for beacons in (first, second, first):
                async for url in beacons:
                    assert url == "http://host:1"
                    break
            tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_the_first_usable_endpoint(port: int, endpoint: ScriptedEndpoint) -> None:
    """Discovery finds the endpoint that responds among garbage and beacons of dead or wrong endpoints."""
    endpoint.script["/wrong/.well-known/fakts"] = Scripted([])
    discovery = AdvertisedDiscovery(timeout=SECONDS, port=port, address="127.0.0.1")
    found = []

    async def load() -> None:
        found.append(await StaticGrant(token="static-token", discovery=discovery).aload(None))  # type: ignore[arg-type]  # noqa: S106
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(load)
        with sender(port) as sending:
            while True:
                for datagram in [
                    *GARBAGE[1:],
                    encode_beacon("http://127.0.0.1:9"),
                    encode_beacon("http://xn--a"),
                    encode_beacon(f"{endpoint.url}/wrong"),
                    encode_beacon(endpoint.url),
                ]:
                    try:
                        sending.send(datagram)
                    except ConnectionRefusedError:  # nobody listens yet
                        await anyio.sleep(0.01)
                await anyio.sleep(0.01)
    assert found == [CONFIG]


def test_no_beacons(port: int) -> None:
    """Without beacons, the error names the port and the time limit."""
    with pytest.raises(DiscoveryError) as caught:
        anyio.run(AdvertisedDiscovery(timeout=0.1, port=port).adiscover)
    assert str(caught.value) == f"beacons on UDP port {port}: no beacon was received in 0.1 s"


@pytest.mark.anyio
async def test_no_usable_endpoint(port: int, endpoint: ScriptedEndpoint) -> None:
    """If no sender is an endpoint, the error contains the error of each one, and each is queried once."""
    endpoint.script["/.well-known/fakts"] = Scripted({})
    urls = {endpoint.url, "http://127.0.0.1:9"}
    async with anyio.create_task_group() as tasks:
        for url in urls:
            tasks.start_soon(partial(advertise, url, [LOCAL], port=port, interval=0.01))
        for seconds in (0.5, 2, 8):  # a slow machine may need longer to ask both
            endpoint.received.clear()
            with pytest.raises(DiscoveryError) as caught:
                await AdvertisedDiscovery(timeout=seconds, port=port).adiscover()
            heard = {str(cause).partition("/.well")[0] for cause in caught.value.causes}
            if heard == urls:
                break
        assert heard == urls
        assert "no sender is a usable endpoint:" in str(caught.value)
        assert len(endpoint.received) == 1
        tasks.cancel_scope.cancel()


def test_listening_fails(port: int) -> None:
    """An address of another machine is an error that says so."""
    with pytest.raises(DiscoveryError, match="cannot listen: Cannot assign requested address"):
        anyio.run(AdvertisedDiscovery(port=port, address="198.51.100.1").adiscover)


@pytest.mark.anyio
async def test_unreachable_network(port: int, log: Log) -> None:
    """An unreachable address is logged once, and the other addresses still receive beacons."""
    with anyio.fail_after(SECONDS), listen_for_beacons(port=port) as beacons:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(advertise, "http://host:1", ["::1", LOCAL], port=port, interval=0.01))
            for _ in range(3):
                assert await anext(beacons) == "http://host:1"
            tasks.cancel_scope.cancel()
    record = log.one("beacon cannot be sent")
    assert (record["levelno"], record["address"]) == (logging.WARNING, "::1")


@pytest.mark.anyio
async def test_too_many_beacons(port: int, endpoint: ScriptedEndpoint) -> None:
    """Only a limited number of the URLs in beacons is queried."""
    endpoint.script["/.well-known/fakts"] = Scripted({})
    discovery = AdvertisedDiscovery(timeout=1.5, port=port, address="127.0.0.1", allow_appending_slash=False)

    async def flood() -> None:
        with sender(port) as sending:
            for number in range(100_000):
                with suppress(ConnectionRefusedError):  # nobody listens yet
                    sending.send(encode_beacon(f"{endpoint.url}/{number}"))
                await anyio.sleep(0.001)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flood)
        with pytest.raises(DiscoveryError) as caught:
            await discovery.adiscover()
        assert len(caught.value.causes) <= 32
        assert len(endpoint.received) <= 32
        tasks.cancel_scope.cancel()
