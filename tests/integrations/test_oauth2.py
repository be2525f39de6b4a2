"""Access tokens from a real server, for clients of httpx and of settings."""

import base64
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx
import pytest

from heksherlite import ThreadHeksherClient
from heksherlite.errors import DemandError, FactsShapeError, FaktsError
from heksherlite.grants import Fakts, HardGrant
from heksherlite.integrations.oauth2 import OAuth2Auth
from tests.grants.endpoint import Received, Scripted, ScriptedEndpoint, scripted_endpoint
from tests.grants.tracebacks import shown
from tests.sdk.scripted_service import QUERY, scripted_service

TOKEN = "/o/token/"  # noqa: S105


class Issuer:
    """Issues tokens, and serves what only the last one may read."""

    def __init__(self, endpoint: ScriptedEndpoint, expires_in: Any = 3600) -> None:
        self.endpoint = endpoint
        self.expires_in = expires_in
        self.issued = 0
        endpoint.script[TOKEN] = self.issue
        endpoint.script["/data"] = self.serve

    def issue(self, _: Received) -> Scripted:
        self.issued += 1
        return Scripted(
            {"access_token": f"access-{self.issued}", "token_type": "Bearer", "expires_in": self.expires_in}
        )

    def serve(self, request: Received) -> Scripted:
        good = request.headers.get("authorization") == f"Bearer access-{self.issued}"
        return Scripted({"good": good}, 200 if good else 401)

    def auth(self, **options: Any) -> OAuth2Auth:
        return OAuth2Auth(self.endpoint.url + TOKEN, "me", "hunter2", **options)


@pytest.fixture
def issuer(endpoint: ScriptedEndpoint) -> Issuer:
    """Return an issuer of tokens."""
    return Issuer(endpoint)


@pytest.mark.anyio
async def test_asynchronous_clients(issuer: Issuer) -> None:
    """The first request fetches a token by client credentials; later requests use it."""
    async with httpx.AsyncClient(auth=issuer.auth(scopes=["a", "b"]), base_url=issuer.endpoint.url) as http:
        for _ in range(3):
            assert (await http.get("/data")).json() == {"good": True}
    fetched, *_ = issuer.endpoint.received
    assert (fetched.method, fetched.path) == ("POST", TOKEN)
    assert fetched.form == {"grant_type": "client_credentials", "scope": "a b"}
    assert fetched.headers["authorization"] == "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert issuer.issued == 1


def test_synchronous_clients(issuer: Issuer) -> None:
    """Synchronous clients work with the same object."""
    auth = issuer.auth()
    for _ in range(2):
        with httpx.Client(auth=auth, base_url=issuer.endpoint.url) as http:
            assert http.get("/data").json() == {"good": True}
    assert issuer.issued == 1


def test_concurrent_requests(issuer: Issuer) -> None:
    """Tasks and threads that need a token at the same time share one."""
    auth = issuer.auth()

    async def ask_all() -> None:
        async with (
            httpx.AsyncClient(auth=auth, base_url=issuer.endpoint.url) as http,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(20):
                tasks.start_soon(http.get, "/data")

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(anyio.run, ask_all) for _ in range(4)]:
            future.result()
    assert issuer.issued == 1


def test_rejected_token(issuer: Issuer) -> None:
    """A request with the response 401 is sent once more with a new token."""
    with httpx.Client(auth=issuer.auth(), base_url=issuer.endpoint.url) as http:
        http.get("/data")
        issuer.issued += 1
        assert http.get("/data").json() == {"good": True}
        issuer.endpoint.script["/data"] = Scripted(status=401)
        before = len(issuer.endpoint.received)
        assert http.get("/data").status_code == 401
        assert len(issuer.endpoint.received) - before == 3


@pytest.mark.parametrize(("expires_in", "issued"), [(10, 3), (3600, 1), (None, 1), ("soon", 1), (-1, 1)])
def test_renewal(expires_in: Any, issued: int, endpoint: ScriptedEndpoint) -> None:
    """A token that expires within the leeway is renewed before it is used; one without an expiry is kept."""
    issuer = Issuer(endpoint, expires_in)
    with httpx.Client(auth=issuer.auth(leeway=60), base_url=endpoint.url) as http:
        for _ in range(3):
            assert http.get("/data").status_code == 200
    assert issuer.issued == issued


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (
            Scripted({"error": "invalid_client", "error_description": "hunter2?"}, 401),
            "status 401: invalid_client: ****",
        ),
        (Scripted({}), "no access token in the response, status 200"),
        (Scripted({"access_token": ""}), "no access token"),
        (Scripted({"access_token": 5}), "no access token"),
        (Scripted({"access_token": "a\r\nX-Other: 1"}), "no access token"),
        (Scripted({"access_token": "hunter2", "token_type": "mac"}), "the token is not a bearer token"),
        (Scripted(b"<html>", 500), "no access token in the response, status 500"),
        (Scripted([1]), "no access token"),
    ],
)
def test_token_errors(response: Scripted, reason: str, issuer: Issuer) -> None:
    """A response without a token is an error with the URL and without the secret; the request is not sent."""
    issuer.endpoint.script[TOKEN] = response
    with httpx.Client(auth=issuer.auth(), base_url=issuer.endpoint.url) as http, pytest.raises(DemandError) as caught:
        http.get("/data")
    assert caught.value.url == issuer.endpoint.url + TOKEN
    assert reason in caught.value.reason
    assert not any(secret in shown(caught.value) for secret in ("hunter2", base64.b64encode(b"me:hunter2").decode()))
    assert [request.path for request in issuer.endpoint.received] == [TOKEN]


def test_redirects_are_not_followed(issuer: Issuer) -> None:
    """The secret is not sent to the target of a redirect."""
    with scripted_endpoint() as other:
        issuer.endpoint.script[TOKEN] = Scripted(status=307, headers={"location": f"{other.url}{TOKEN}"})
        auth = issuer.auth(http_client_args={"follow_redirects": True})
        with pytest.raises(DemandError, match="status 307"), httpx.Client(auth=auth, follow_redirects=True) as http:
            http.get(f"{issuer.endpoint.url}/data")
        assert other.received == []


def test_connection_refused() -> None:
    """A refused connection is an error that says so."""
    auth = OAuth2Auth("http://127.0.0.1:9/token", "me", "hunter2")
    with httpx.Client(auth=auth) as http, pytest.raises(DemandError, match=r"127\.0\.0\.1:9/token: ConnectError"):
        http.get("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("url", "args", "reason"),
    [
        ("http://127.0.0.1:9/token", {"verify": "/missing.pem"}, "No such file or directory"),
        ("http://xn--a/token", {}, "Codepoint"),
    ],
)
@pytest.mark.filterwarnings("ignore:`verify=<str>`:DeprecationWarning")
def test_invalid_requests(url: str, args: dict[str, Any], reason: str) -> None:
    """Whatever prevents the request is the same error, without a secret."""
    auth = OAuth2Auth(url, "me", "hunter2", http_client_args=args)
    with httpx.Client(auth=auth) as http, pytest.raises(DemandError, match=reason) as caught:
        http.get("http://127.0.0.1:9/")
    assert "hunter2" not in shown(caught.value)


@pytest.mark.anyio
async def test_synchronous_client_in_an_event_loop(issuer: Issuer) -> None:
    """Fetching a token in the thread of an event loop is an error, because it would block the loop."""
    with httpx.Client(auth=issuer.auth()) as http, pytest.raises(FaktsError, match=r"use httpx\.AsyncClient"):
        http.get(f"{issuer.endpoint.url}/data")  # noqa: ASYNC212 - that is what must not block


def test_settings_client(issuer: Issuer) -> None:
    """Requests of a settings client are authenticated too, all of it from facts."""
    with scripted_service() as service:
        oauth2 = {
            "base_url": f"{issuer.endpoint.url}/o",
            "client_id": "me",
            "client_secret": "hunter2",
            "scopes": "a b",
        }
        heksher = {"service_url": service.url, "context_features": ["environment", "user", "theme"]}
        with Fakts(HardGrant({"oauth2": oauth2, "heksher": {**heksher, "track": {"user": "*"}}})):
            client = ThreadHeksherClient.from_fakts(http_client_args={"auth": OAuth2Auth.from_fakts()})
        with client:
            client.ping()
        assert {request.headers["Authorization"] for request in service.received} == {"Bearer access-1"}
        assert len(service.of(QUERY)) == 1
    assert issuer.issued == 1


@pytest.mark.anyio
async def test_group(issuer: Issuer) -> None:
    """The group can be chosen, and the facts are loaded if necessary."""
    group = {"token_url": issuer.endpoint.url + TOKEN, "client_id": "me", "client_secret": "hunter2", "scopes": ["a"]}
    auth = await OAuth2Auth.afrom_fakts(Fakts(HardGrant({"herre": group})), group="herre")
    assert repr(auth) == f"<OAuth2Auth of 'me' at {issuer.endpoint.url}{TOKEN}>"
    async with httpx.AsyncClient(auth=auth) as http:
        assert (await http.get(f"{issuer.endpoint.url}/data")).status_code == 200


def test_every_offending_key() -> None:
    """The error of a malformed group lists every problem, and no values."""
    wrong = {"client_id": 1, "client_secret": None, "token_url": "ftp://x", "scopes": 5}
    groups: list[tuple[Any, set[str]]] = [
        ({}, {"client_id", "client_secret", "token_url"}),
        (wrong, set(wrong)),
        ("hunter2", {"oauth2"}),
    ]
    for group, keys in groups:
        with pytest.raises(FactsShapeError) as caught:
            OAuth2Auth.from_fakts(Fakts(HardGrant({"oauth2": group})))
        assert set(caught.value.problems) == keys
        assert "hunter2" not in str(caught.value)


def test_without_the_extra() -> None:
    """Without authlib, the settings client can still be imported and configured."""
    program = "import sys; sys.modules['authlib'] = None; from heksherlite import ThreadHeksherClient"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
