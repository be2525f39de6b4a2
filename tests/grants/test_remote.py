"""Remote grants against a real server: their requests, facts and errors."""

import gzip
import logging
import pickle
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import pytest

from heksherlite.errors import ClaimError, DemandError, GrantError, RemoteGrantError
from heksherlite.grants import (
    CacheGrant,
    Fakts,
    Grant,
    Manifest,
    RetrieveGrant,
    StaticDiscovery,
    WellKnownDiscovery,
)
from tests.grants.endpoint import CONFIG, WELL_KNOWN, Received, Scripted, ScriptedEndpoint, scripted_endpoint
from tests.grants.loads import loaded
from tests.grants.remote_grants import HIDDEN, MANIFEST, redeem, retrieve, static
from tests.grants.tracebacks import shown
from tests.sdk.conftest import Log

SENT = {
    "identifier": "org.example.app",
    "version": "1.0",
    "scopes": ["read", "write"],
    "image": "http://host/i.png",
}


@pytest.mark.anyio
async def test_static_grant(endpoint: ScriptedEndpoint) -> None:
    """The token is sent to claim, and the facts are returned, on both event loops."""
    fakts = Fakts(static(endpoint))
    assert await fakts.aget() == CONFIG
    (request,) = endpoint.received
    assert (request.method, request.path, request.body) == ("POST", "/f/claim/", {"token": "static-token"})
    assert request.headers["content-type"] == "application/json"


def test_retrieve_grant(endpoint: ScriptedEndpoint) -> None:
    """The manifest is sent to retrieve, and the facts are claimed with the granted token."""
    assert loaded(retrieve(endpoint)) == CONFIG
    assert [request.body for request in endpoint.received] == [{"manifest": SENT}, {"token": "granted-token-1"}]


def test_redeem_grant(endpoint: ScriptedEndpoint) -> None:
    """The manifest and the one-time token are sent to redeem."""
    assert loaded(redeem(endpoint)) == CONFIG
    (request,) = endpoint.of("redeem")
    assert request.body == {"manifest": SENT, "token": "one-time-token"}


@pytest.mark.parametrize("make", [retrieve, redeem])
def test_token_is_reused(make: Callable[[ScriptedEndpoint], Grant], endpoint: ScriptedEndpoint) -> None:
    """A second load by the same grant claims with the cached token, also after a failed claim."""
    grant = make(endpoint)
    endpoint.script["/f/claim/"] = Scripted(status=503)
    with pytest.raises(ClaimError, match="status 503"):
        loaded(grant)
    del endpoint.script["/f/claim/"]
    for _ in range(2):
        assert loaded(grant, force_refresh=True) == CONFIG
    assert len(endpoint.of("retrieve") + endpoint.of("redeem")) == 1


def test_rejected_token_is_replaced(endpoint: ScriptedEndpoint) -> None:
    """If the endpoint rejects the cached token, a new one is demanded."""
    grant = retrieve(endpoint)
    loaded(grant)
    endpoint.tokens.clear()
    assert loaded(grant) == CONFIG
    assert len(endpoint.of("retrieve")) == 2


def test_token_is_bound_to_its_endpoint() -> None:
    """When the discovery leads to another endpoint, the token of the first one is not sent there."""
    with scripted_endpoint() as first, scripted_endpoint() as second:
        grant = RetrieveGrant(
            manifest=MANIFEST, redirect_uri="http://host/back", discovery=WellKnownDiscovery(url=first.url)
        )
        loaded(grant)
        first.script[WELL_KNOWN] = Scripted({"name": "moved", "base_url": second.base_url})
        second.tokens["padding"] = {}
        loaded(grant)
        assert [request.body for request in second.received] == [{"manifest": SENT}, {"token": "granted-token-2"}]


def test_urls_of_the_endpoint(endpoint: ScriptedEndpoint) -> None:
    """The claim_url and retrieve_url of the endpoint are used; the retrieve_url of the grant overrides."""
    endpoint.script[WELL_KNOWN] = Scripted(
        {
            "name": "x",
            "base_url": "http://127.0.0.1:9/f/",
            "claim_url": f"{endpoint.url}/elsewhere",
            "retrieve_url": f"{endpoint.url}/f/retrieve/",
        }
    )
    endpoint.script["/elsewhere"] = Scripted({"status": "granted", "config": {"a": 1}})
    endpoint.script["/own"] = Scripted({"status": "granted", "token": "own"})
    discovery = WellKnownDiscovery(url=endpoint.url)
    for url in (None, f"{endpoint.url}/own"):
        grant = RetrieveGrant(
            manifest=MANIFEST, redirect_uri="", retrieve_url=url, discovery=discovery, token_store=None
        )
        assert loaded(grant) == {"a": 1}
    assert [request.path for request in endpoint.received if request.path != WELL_KNOWN] == [
        "/f/retrieve/",
        "/elsewhere",
        "/own",
        "/elsewhere",
    ]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted({"status": "error", "message": "no static-token here"}), "error response: no ******** here"),
        (Scripted({"status": "error"}), "error response: no reason given"),
        (Scripted({"status": "error", "message": ["x"]}), "error response: no reason given"),
        (Scripted({"status": "error", "message": "\x1b[2J" + "x" * 999}), "error response: �[2J" + "x" * 296),
        (Scripted({"status": "maybe"}), "the response has the unknown status 'maybe'"),
        (Scripted({"status": 1}), "the response has no 'status'"),
        (Scripted({}), "the response has no 'status'"),
        (Scripted([]), "the response must be an object, not a value of type list"),
        (Scripted(None), "the response must be an object, not nothing"),
        (Scripted(b""), "the response is not JSON"),
        (Scripted(b"<html>"), "the response is not JSON"),
        (Scripted(b'{"status": "granted", "config": {'), "the response is not JSON"),
        (Scripted(b"[" * 100_000), "the response is not JSON"),
        (Scripted(b"\xff"), "the response is not JSON"),
        (Scripted({"status": "granted"}), "'config': expected a mapping, not nothing"),
        (
            Scripted({"status": "granted", "config": "hunter2"}),
            "'config': expected a mapping, not a value of type",
        ),
        (
            Scripted({"status": "granted", "config": ["hunter2"]}),
            "'config': expected a mapping, not a value of type",
        ),
        (Scripted({"status": "granted", "config": CONFIG}, 201), "status 201 Created"),
        (Scripted({"message": "static-token is forged"}, 403), "status 403 Forbidden: ******** is forged"),
        (Scripted({"error": "static-token is forged"}, 403), "status 403 Forbidden: ******** is forged"),
        (Scripted({"message": "", "error": "why"}, 400), "status 400 Bad Request: why"),
        (Scripted({"error": "invalid_grant", "error_description": "why"}, 400), "status 400 Bad Request: why"),
        (Scripted({"detail": "why"}, 422), "422 Unprocessable"),
        (Scripted({"status": "error", "error": "why"}), "error response: why"),
        (Scripted(b"hunter2", 500), "status 500 Internal Server Error"),
        (Scripted(status=404), "status 404 Not Found"),
        (Scripted(status=599), "status 599"),
        (Scripted(b"", 302), "redirects to an unknown URL"),
        (Scripted(b"", 304), "redirects to an unknown URL"),
        (
            Scripted(b"", 307, {"location": "http://[::1"}),
            "RemoteProtocolError: Invalid URL in location header",
        ),
        (Scripted(b" " * (16 * 2**20 + 1)), "the response is larger than 16,777,216 bytes"),
        (
            Scripted(gzip.compress(b" " * 2**25, 1), headers={"content-encoding": "gzip"}),
            "the response is compressed",
        ),
    ],
)
def test_claim_responses(response: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """The error contains the URL and the reason, and neither it nor its traceback contains a secret."""
    endpoint.script["/f/claim/"] = response
    with pytest.raises(ClaimError) as caught:
        loaded(static(endpoint))
    assert caught.value.url == f"{endpoint.base_url}claim/"
    assert reason in caught.value.reason
    assert str(caught.value) == f"{caught.value.url}: {caught.value.reason}"
    assert not any(secret in shown(caught.value) for secret in HIDDEN)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted({"status": "error", "message": "one-time-token? no"}), "error response: ********? no"),
        (Scripted({"status": "granted"}), "'token' must be a string, not nothing"),
        (Scripted({"status": "granted", "token": ""}), "'token' must be a string, not a value of type str"),
        (Scripted({"status": "granted", "token": {"a": "hunter2"}}), "'token' must be a string, not a mapping"),
        (Scripted({"status": "waiting"}), "the response has the unknown status 'waiting'"),
        (Scripted(status=500), "status 500"),
        (Scripted(b"x"), "the response is not JSON"),
    ],
)
def test_demand_responses(response: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """A response without a token is a DemandError, and no claim is sent."""
    endpoint.script["/f/redeem/"] = response
    with pytest.raises(DemandError) as caught:
        loaded(redeem(endpoint))
    assert (caught.value.url, reason in caught.value.reason) == (f"{endpoint.base_url}redeem/", True)
    assert not any(secret in shown(caught.value) for secret in HIDDEN)
    assert endpoint.of("claim") == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, endpoint: ScriptedEndpoint) -> None:
    """A token is not sent to the target of a redirect, on the same or another host; the error names the target."""
    with scripted_endpoint() as other:
        for target in (other.url, endpoint.url):
            location = {"location": f"{target}/f/claim/?secret=1"}
            endpoint.script["/f/claim/"] = Scripted(status=status, headers=location)
            with pytest.raises(ClaimError, match=rf"redirects to {target}/f/claim/ are not followed"):
                loaded(static(endpoint, http_client_args={"follow_redirects": True}))
        assert other.received == []
    assert len(endpoint.received) == 2


def test_rejected_applications(endpoint: ScriptedEndpoint) -> None:
    """An unregistered application and a spent one-time token are errors with the message of the endpoint."""
    with pytest.raises(DemandError, match="error response: this application is not registered"):
        loaded(retrieve(endpoint, Manifest(identifier="other", version="1")))
    with pytest.raises(DemandError, match=r"error response: \*{8} is spent"):
        loaded(redeem(endpoint, "spent-token"))


def test_connection_refused() -> None:
    """A refused connection is an error with the URL and the reason."""
    grant = static(ScriptedEndpoint("http://127.0.0.1:9"))
    with pytest.raises(ClaimError) as caught:
        loaded(grant)
    assert caught.value.url == "http://127.0.0.1:9/f/claim/"
    assert caught.value.reason.startswith("ConnectError: ")
    assert "static-token" not in shown(caught.value)


@pytest.mark.anyio
async def test_timeout() -> None:
    """The load fails after the time limit, even if bytes keep arriving."""
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not over.wait(0.01):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: trickle(listener.accept()[0]))
        fakts = Fakts(static(ScriptedEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"), timeout=0.5))
        with pytest.raises(ClaimError, match=r"no response within 0\.5 s"):
            await fakts.aload()
        over.set()


def test_secrets_are_not_displayed(endpoint: ScriptedEndpoint, log: Log) -> None:
    """Neither a repr nor the log of a successful load at DEBUG contains a secret."""
    log.caplog.set_level(logging.DEBUG)
    for grant in (static(endpoint), redeem(endpoint), retrieve(endpoint)):
        fakts = Fakts(CacheGrant(grant, cache_file="/proc/nowhere/cache"))
        fakts.load()
        assert not any(secret in text for secret in HIDDEN for text in (repr(fakts), repr(grant)))
    assert "facts cannot be cached" in log.caplog.text
    records = [str(vars(record)) for record in log.caplog.records if not record.name.startswith("asyncio")]
    assert not any(secret in record for secret in HIDDEN for record in records)


def test_errors_can_be_pickled(endpoint: ScriptedEndpoint) -> None:
    """Errors keep all of their attributes when they are pickled."""
    endpoint.script["/f/claim/"] = Scripted(status=500)
    with pytest.raises(RemoteGrantError) as caught:
        loaded(static(endpoint))
    for error in (caught.value, GrantError("several:", [caught.value, GrantError("x")])):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(again), str(again), len(again.causes)) == (type(error), str(error), len(error.causes))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"identifier": "", "version": "1"}, ValueError),
        ({"identifier": "x", "version": ""}, ValueError),
        ({"identifier": "x", "version": "1", "scopes": "read"}, TypeError),
    ],
)
def test_invalid_manifests(arguments: Any, error: type[Exception]) -> None:
    """A manifest without identifier or version, or with a string as scopes, is rejected."""
    with pytest.raises(error, match="manifest"):
        Manifest(**arguments)


def test_malformed_urls(endpoint: ScriptedEndpoint) -> None:
    """Malformed URLs are rejected when grants and discoveries are created."""
    for url in ("", "host:1", "ftp://host/", "http://", "http://host:99999/", "http://a b/", "http://host/\n"):
        with pytest.raises(ValueError, match=r"URL|Port"):
            StaticDiscovery(base_url=url)
        with pytest.raises(ValueError, match=r"URL|Port"):
            retrieve(endpoint, retrieve_url=url)


def test_a_thousand_tasks_share_a_claim(endpoint: ScriptedEndpoint) -> None:
    """The endpoint is called once for any number of concurrent tasks."""
    fakts = Fakts(retrieve(endpoint))

    async def ask_all() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(fakts.aget, "database.password")

    anyio.run(ask_all)
    assert [request.path for request in endpoint.received] == ["/f/retrieve/", "/f/claim/"]


def test_token_is_in_the_body_only(endpoint: ScriptedEndpoint) -> None:
    """No token is in the URL or in the headers."""
    seen: list[Received] = []

    def respond(request: Received) -> Scripted:
        seen.append(request)
        return Scripted({"status": "granted", "config": {}})

    endpoint.script["/f/claim/"] = respond
    assert loaded(static(endpoint)) == {}
    assert "static-token" not in str(seen[0].headers) + seen[0].path


def test_a_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint may be well when the proxy in front of it is not."""
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    grant = RetrieveGrant(
        manifest=Manifest(identifier="a", version="1"),
        redirect_uri="https://app.example",
        discovery=StaticDiscovery(base_url="http://127.0.0.1:10/f/"),
    )
    with pytest.raises(DemandError, match=r"\(through the proxy http://127.0.0.1:9 of the environment\)$"):
        loaded(grant)
