"""Beacons over real UDP sockets, with other programs that send garbage to the same port."""

import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import ClaimError, DemandError, DiscoveryError, RemoteGrantError
from heksherlite.grants import AdvertisedDiscovery, LoadRequest, Manifest, RedeemGrant, RetrieveGrant, StaticGrant
from heksherlite.grants.grant import load
from heksherlite.grants.remote.beacon import advertise, decode_beacon, encode_beacon, listen_for_beacons
from heksherlite.grants.remote.messages import Endpoint
from tests.grants.endpoint import CONFIG, WELL_KNOWN, Scripted, ScriptedEndpoint
from tests.sdk.conftest import Log
from tests.waiting import SECONDS

R = TypeVar("R")

LOCAL = "127.255.255.255"
MANIFEST = Manifest(identifier="org.example.app", version="1")

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
    b'beacon-fakts{"url": "user:hunter2@host"}',
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


def test_urls_without_a_scheme() -> None:
    """A URL without a scheme means HTTPS."""
    assert decode_beacon(b'beacon-fakts{"url": "host:8443/below"}') == "https://host:8443/below"


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


async def load_by_beacons(port: int, make: Callable[[], Awaitable[R]], *urls: str) -> R:
    """Return the result of a function while garbage and the beacons of some URLs are sent."""
    outcomes: list[R | Exception] = []

    async def run() -> None:
        try:
            outcomes.append(await make())
        except RemoteGrantError as error:
            outcomes.append(error)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        with sender(port) as sending:
            while True:
                for datagram in [*GARBAGE[1:], *map(encode_beacon, urls)]:
                    try:
                        sending.send(datagram)
                    except ConnectionRefusedError:  # nobody listens yet
                        await anyio.sleep(0.01)
                await anyio.sleep(0.01)
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def advertised(port: int, **options: Any) -> AdvertisedDiscovery:
    """Return a discovery on this machine."""
    return AdvertisedDiscovery(port=port, address="127.0.0.1", **{"timeout": SECONDS, **options})


@pytest.mark.anyio
async def test_the_first_usable_endpoint(port: int, endpoint: ScriptedEndpoint) -> None:
    """Discovery finds the endpoint that responds among garbage and beacons of dead or wrong endpoints."""
    endpoint.script["/wrong/.well-known/fakts"] = Scripted([])
    urls = ["http://127.0.0.1:9", "http://xn--a", f"{endpoint.url}/wrong", endpoint.url]
    found = await load_by_beacons(port, advertised(port).adiscover, *urls)
    assert (found.base_url, found.is_pinned) == (endpoint.base_url, False)
    grant = RetrieveGrant(manifest=MANIFEST, redirect_uri="", discovery=advertised(port))
    assert await load_by_beacons(port, partial(load, grant, LoadRequest()), endpoint.url) == CONFIG


@pytest.mark.anyio
async def test_a_chosen_endpoint(port: int, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function gets all endpoints and chooses one; its choice proves nothing, so that secrets are not sent."""
    monkeypatch.setattr("heksherlite.grants.remote.advertised._MAX_ENDPOINTS", 2)
    endpoint.script["/other/.well-known/fakts"] = Scripted({"name": "other", "base_url": f"{endpoint.url}/g/"})
    urls = [endpoint.url, f"{endpoint.url}/other"]
    found = await load_by_beacons(port, partial(advertised(port).adiscover_all, at_most=2), *urls)
    assert sorted(each.name for each in found) == ["other", "scripted"]

    def choose(endpoints: Sequence[Endpoint]) -> Endpoint | None:
        return next((each for each in endpoints if each.name == "other"), None)

    chosen = await load_by_beacons(port, advertised(port, choose=choose).adiscover, *urls)
    assert (chosen.name, chosen.is_pinned) == ("other", False)
    with pytest.raises(DiscoveryError, match="none of the 2 endpoints was chosen"):
        await load_by_beacons(port, advertised(port, choose=lambda _: None).adiscover, *urls)


@pytest.mark.anyio
async def test_a_spoofed_beacon_gets_a_manifest_only(port: int, endpoint: ScriptedEndpoint) -> None:
    """Whoever sends a beacon sees what the application calls itself, and nothing that is secret."""
    grant = RetrieveGrant(manifest=MANIFEST, redirect_uri="", discovery=advertised(port), token_store=None)
    await load_by_beacons(port, partial(load, grant, LoadRequest()), endpoint.url)
    sent = [request.body for request in endpoint.received if request.body]
    assert sent == [{"manifest": MANIFEST.body()}, {"token": "granted-token-1"}]  # its own token
    endpoint.received.clear()
    redeem = RedeemGrant(manifest=MANIFEST, token="one-time-token", discovery=advertised(port))  # noqa: S106
    with pytest.raises(DemandError, match="anybody could have sent the beacon"):
        await load_by_beacons(port, partial(load, redeem, LoadRequest()), endpoint.url)
    assert [request.body for request in endpoint.received if request.body] == []


@pytest.mark.anyio
@pytest.mark.parametrize("options", [{}, {"timeout": SECONDS}])
async def test_secrets_are_not_sent_to_any_sender(options: Any, port: int, endpoint: ScriptedEndpoint) -> None:
    """Neither a token nor a one-time token is sent to an endpoint that the program did not choose."""
    discovery = advertised(port, **options)
    grants: list[Any] = [
        StaticGrant(token="static-token", discovery=discovery),  # noqa: S106
        RedeemGrant(manifest=MANIFEST, token="one-time-token", discovery=discovery),  # noqa: S106
    ]
    for grant, error in zip(grants, (ClaimError, DemandError), strict=True):
        with pytest.raises(
            error, match=r"the token was not sent.*pass host=, url= or fingerprint= to AdvertisedDiscovery"
        ) as caught:
            await load_by_beacons(port, partial(load, grant, LoadRequest()), endpoint.url)
        assert caught.value.url == endpoint.base_url
    assert [request.body for request in endpoint.received] == [None, None]


@pytest.mark.anyio
async def test_pinned_url(port: int, endpoint: ScriptedEndpoint) -> None:
    """With a URL, beacons with other URLs are ignored, and a token is sent."""
    with_others = ["http://127.0.0.1:9", f"{endpoint.url}/other", endpoint.url]
    for url in (endpoint.url, f"{endpoint.url}/"):
        grant = StaticGrant(token="static-token", discovery=advertised(port, url=url))  # noqa: S106
        assert await load_by_beacons(port, partial(load, grant, LoadRequest()), *with_others) == CONFIG
    assert {request.path for request in endpoint.received} == {WELL_KNOWN, "/f/claim/"}


@pytest.mark.anyio
async def test_pinned_host(
    port: int, endpoint: ScriptedEndpoint, secure: ScriptedEndpoint, authority: trustme.CA
) -> None:
    """With a host, beacons with other hosts or without HTTPS are ignored, and the certificate is verified."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    args = {"verify": context}
    at_localhost = [url.replace("127.0.0.1", "localhost") for url in (endpoint.url, secure.url)]
    discovery = advertised(port, host="LocalHost", http_client_args=args)
    grant = StaticGrant(token="static-token", discovery=discovery, http_client_args=args)  # noqa: S106
    assert await load_by_beacons(port, partial(load, grant, LoadRequest()), secure.url, *at_localhost) == CONFIG
    with pytest.raises(DiscoveryError, match="CERTIFICATE_VERIFY_FAILED"):
        await load_by_beacons(port, advertised(port, host="localhost", timeout=2).adiscover, *at_localhost)
    assert endpoint.received == []


@pytest.mark.anyio
@pytest.mark.thorough
async def test_pinned_fingerprint(
    port: int, endpoint: ScriptedEndpoint, secure: ScriptedEndpoint, tmp_path: Path
) -> None:
    """Only the certificate with the fingerprint is accepted, by the grant too, and nobody else hears of a token."""
    pem = (tmp_path / "certificate").read_text()
    fingerprint = sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    urls = [endpoint.url, "https://127.0.0.1:9", secure.url]
    for written in (fingerprint, f"sha256 Fingerprint={bytes.fromhex(fingerprint).hex(':').upper()}"):
        discovery = advertised(port, fingerprint=written)
        grant = StaticGrant(token="static-token", discovery=discovery)  # noqa: S106
        assert await load_by_beacons(port, partial(load, grant, LoadRequest()), *urls) == CONFIG
    redeem = RedeemGrant(manifest=MANIFEST, token="one-time-token", discovery=discovery, token_store=None)  # noqa: S106
    assert await load_by_beacons(port, partial(load, redeem, LoadRequest()), *urls) == CONFIG
    received = len(secure.received)
    wrong = advertised(port, fingerprint="00" * 32, timeout=2)
    with pytest.raises(DiscoveryError, match=rf"fingerprint {bytes.fromhex(fingerprint).hex(':')}, not 00:00"):
        await load_by_beacons(port, StaticGrant(token="static-token", discovery=wrong).discovery.adiscover, *urls)  # noqa: S106
    assert (endpoint.received, len(secure.received)) == ([], received)


@pytest.mark.anyio
async def test_only_the_certificate_with_the_fingerprint_is_trusted(
    secure: ScriptedEndpoint, authority: trustme.CA
) -> None:
    """Another certificate of the same authority for the same host is rejected, although it is otherwise valid."""
    other = authority.issue_cert("127.0.0.1").cert_chain_pems[0].bytes().decode()
    found = Endpoint(name="x", base_url=f"{secure.url}/f/", certificate=ssl.PEM_cert_to_DER_cert(other))

    class Found:
        async def adiscover(self) -> Endpoint:
            return found

    grant = StaticGrant(token="static-token", discovery=Found())  # noqa: S106
    with pytest.raises(ClaimError, match="CERTIFICATE_VERIFY_FAILED"):
        await load(grant, LoadRequest())
    assert secure.received == []


@pytest.mark.parametrize("fingerprint", ["", "00", "zz" * 32, "00" * 33, ":" * 64])
def test_a_wrong_fingerprint_is_named(fingerprint: str) -> None:
    """The message says what was expected, and how to get it."""
    with pytest.raises(ValueError, match="openssl x509 -noout -fingerprint -sha256"):
        AdvertisedDiscovery(fingerprint=fingerprint)


@pytest.mark.anyio
async def test_no_beacon_of_the_pinned_endpoint(port: int, endpoint: ScriptedEndpoint) -> None:
    """The error says that no beacon of the required endpoint was received."""
    with pytest.raises(DiscoveryError, match=r"no beacon of the required endpoint was received in 0\.3 s"):
        await load_by_beacons(port, advertised(port, host="host", timeout=0.3).adiscover, endpoint.url)


def test_malformed_pinned_url() -> None:
    """A malformed URL is rejected when the discovery is created."""
    with pytest.raises(ValueError, match="expected a URL"):
        AdvertisedDiscovery(url="host:80")


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
