"""Standard OAuth2 clients work with what the metadata says: those of authlib and of oauthlib, without our code."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from oauthlib.oauth2 import BackendApplicationClient, DeviceClient  # type: ignore[import-untyped]
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]

from heksherlite.service import embedded
from heksherlite.service.api.access_tokens import LIFETIME, AccessTokens
from heksherlite.service.domain.applications import Approval
from heksherlite.service.domain.tokens import Scope, new_token
from tests.service.applications import approve, deny, invite, register
from tests.service.tokens import WITH_TOKENS, make_token

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # authlib's module warns of its own future
    from authlib.integrations.requests_client import OAuth2Session as AuthlibSession

METADATA = "/.well-known/oauth-authorization-server"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SHOP = "shop.checkout"


class Server:
    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self.path = path
        self.http = httpx.Client(base_url=url, timeout=30)
        self.metadata: dict[str, Any] = self.http.get(METADATA).json()

    def credentials(self) -> tuple[str, str, str]:
        """Return the client ID, client secret and claim token of a new application."""
        body = {"manifest": {"identifier": SHOP, "version": "1", "scopes": ["read"]}, "token": invite(self.path)}
        claim = self.http.post("/f/redeem/", json=body).json()["token"]
        config = self.http.post("/f/claim/", json={"token": claim}).json()["config"]
        return config["oauth2"]["client_id"], config["oauth2"]["client_secret"], claim

    def post(self, endpoint: str, auth: tuple[str, str] | None = None, **data: str) -> httpx.Response:
        path = self.metadata[f"{endpoint}_endpoint"]
        return self.http.post(path, data=data) if auth is None else self.http.post(path, data=data, auth=auth)

    def status(self, token: str) -> int:
        return self.http.get("/api/v1/query", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("oauth2") / "a.db"
    with embedded(path, access=WITH_TOKENS) as service:
        server = Server(service.url, path)
        with closing(server.http):
            yield server


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clients use the service without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


def test_the_metadata_is_valid(server: Server) -> None:
    """Authlib finds nothing wrong in it but the missing TLS, and each endpoint is a route."""
    text = httpx.get(server.url + METADATA).text.replace("http://", "https://")
    AuthorizationServerMetadata(httpx.Response(200, text=text).json()).validate()
    assert server.metadata["issuer"] == server.url
    for name, url in server.metadata.items():
        if name.endswith("_endpoint"):
            assert httpx.post(url, data={"x": "y"}).status_code in {400, 401}, name


def test_authlib_gets_introspects_and_revokes_a_token(server: Server) -> None:
    """A session of authlib signs requests, and its token ends when it revokes it; others go on."""
    client_id, client_secret, _ = server.credentials()
    token_endpoint = server.metadata["token_endpoint"]
    with AuthlibSession(client_id, client_secret, token_endpoint=token_endpoint, scope="read") as session:
        _use(server, session, client_id)


def _use(server: Server, session: AuthlibSession, client_id: str) -> None:
    token = session.fetch_token(grant_type="client_credentials")
    assert (token["token_type"], token["scope"]) == ("Bearer", "read")
    assert session.get(f"{server.url}/api/v1/query").status_code == 200
    described = session.introspect_token(server.metadata["introspection_endpoint"], token["access_token"]).json()
    assert described.pop("iat") <= time.time() < described.pop("exp")
    assert described == {
        "active": True,
        "scope": "read",
        "client_id": client_id,
        "username": SHOP,
        "token_type": "Bearer",
        "sub": client_id,
        "iss": server.url,
    }
    other = session.fetch_token(grant_type="client_credentials", scope="")["access_token"]
    revoked = session.revoke_token(server.metadata["revocation_endpoint"], token["access_token"])  # type: ignore[no-untyped-call]
    assert revoked.status_code == 200
    assert server.status(token["access_token"]) in {401, 429}
    assert server.status(other) == 200
    described = session.introspect_token(server.metadata["introspection_endpoint"], token["access_token"]).json()
    assert described == {"active": False}


def test_oauthlib_gets_a_token_by_client_credentials(server: Server) -> None:
    """A session of requests-oauthlib signs requests."""
    client_id, client_secret, _ = server.credentials()
    with OAuth2Session(client=BackendApplicationClient(client_id=client_id)) as session:
        session.fetch_token(server.metadata["token_endpoint"], client_id=client_id, client_secret=client_secret)
        assert session.get(f"{server.url}/api/v1/query").status_code == 200


def test_oauthlib_gets_a_token_by_device_code(server: Server) -> None:
    """A person approves what the client shows; the client gets a token, and renews it by itself."""
    started = server.post("device_authorization", client_id=SHOP, scope="read admin").json()
    assert started["verification_uri"] == f"{server.url}/f/device"
    assert started["user_code"] in started["verification_uri_complete"]
    assert (started["expires_in"], started["interval"]) == (600, 2)
    with OAuth2Session(client=DeviceClient(client_id=SHOP)) as session:

        def fetch() -> Any:
            return session.fetch_token(
                server.metadata["token_endpoint"], device_code=started["device_code"], include_client_id=True
            )

        with pytest.raises(Exception, match="authorization_pending"):
            fetch()
        approve(server.path, started["user_code"], Approval(scopes=frozenset({Scope.READ})))
        token = fetch()
        assert token["scope"] == ["read"]
        assert session.get(f"{server.url}/api/v1/query").status_code == 200
        renewed = session.refresh_token(server.metadata["token_endpoint"], client_id=SHOP)
        assert renewed["refresh_token"] == token["refresh_token"]
        assert server.status(renewed["access_token"]) == 200
        claimed = server.http.post("/f/claim/", json={"token": renewed["refresh_token"]}).json()
        assert claimed["config"]["heksher"]["token"].startswith("hkl_")
        with pytest.raises(Exception, match="expired_token"):
            fetch()


def test_a_device_code_that_grants_nothing_says_why(server: Server) -> None:
    """Denied, of another client, guessed or asked for too often: each has the error of the standard."""
    started = server.post("device_authorization", client_id=SHOP).json()
    code = started["device_code"]

    def error(client_id: str = SHOP, device_code: str = code) -> str:
        response = server.post("token", grant_type=DEVICE_CODE, client_id=client_id, device_code=device_code)
        assert response.status_code == 400
        return str(response.json()["error"])

    assert error(client_id="other") == "invalid_grant"
    assert error(device_code=started["user_code"]) == "invalid_grant"
    assert error(device_code=started["user_code"] + ".x") == "invalid_grant"
    deny(server.path, started["user_code"])
    assert error() == "access_denied"
    assert "slow_down" in {error() for _ in range(10)}
    assert server.post("device_authorization", client_id="a\nb").json()["error"] == "invalid_request"


def test_a_refresh_token_ends_everything_of_its_application(server: Server) -> None:
    """By the client that has it, and by no other; a token of a person is an operator's to revoke."""
    client_id, client_secret, claim = server.credentials()
    other = server.credentials()
    assert server.post("revocation", other[:2], token=claim).json()["error"] == "invalid_grant"
    assert server.post("revocation", (client_id, "wrong"), token=claim).status_code == 401
    access_token = server.post("token", (client_id, client_secret), grant_type="client_credentials").json()
    assert server.post("revocation", (client_id, client_secret), token=claim).status_code == 200
    assert server.status(access_token["access_token"]) in {401, 429}
    assert server.post("token", grant_type="refresh_token", refresh_token=claim).json()["error"] == "invalid_grant"
    assert server.post("revocation", other[:2], token="x" * 9).status_code == 200
    person = make_token(server.path, "jane", Scope.READ)
    server.status(person)
    assert server.post("revocation", other[:2], token=person).json()["error"] == "unsupported_token_type"
    assert server.post("introspection", other[:2], token=person).json()["username"] == "jane"
    assert server.post("introspection", token=person).status_code == 401


def test_nobody_revokes_a_public_application(server: Server) -> None:
    """Everybody has its refresh token, so it ends nothing."""
    register(server.path)
    manifest = {"identifier": SHOP, "version": "1"}
    token = server.http.post("/f/retrieve/", json={"manifest": manifest}).json()["token"]
    assert server.post("revocation", token=token, client_id=SHOP).json()["error"] == "unsupported_token_type"
    assert server.post("token", grant_type="refresh_token", refresh_token=token).status_code == 200


def test_a_revoked_access_token_is_refused_everywhere(new_database: Callable[[], str]) -> None:
    """Every replica knows of a revocation at its next look at the database."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as one, embedded(database, access=WITH_TOKENS) as other:
        headers = {"Authorization": f"Bearer {one.first_token}"}
        with httpx.Client(base_url=one.url) as http:
            invited = http.post(
                "/api/v1/applications/invite",
                json={"identifier": SHOP, "approval": {"scopes": ["read"]}, "expires_at": 4_000_000_000},
                headers=headers,
            )
            body = {"manifest": {"identifier": SHOP, "version": "1"}, "token": invited.json()["one_time_token"]}
            claim = http.post("/f/redeem/", json=body).json()["token"]
            config = http.post("/f/claim/", json={"token": claim}).json()["config"]["oauth2"]
            auth = (config["client_id"], config["client_secret"])
            token = http.post("/o/token", data={"grant_type": "client_credentials"}, auth=auth).json()["access_token"]
            assert http.post("/o/revoke", data={"token": token}, auth=auth).status_code == 200
            sent = {"Authorization": f"Bearer {token}"}
            deadline = time.monotonic() + 30
            while httpx.get(f"{other.url}/api/v1/query", headers=sent).status_code == 200:
                assert time.monotonic() < deadline
            assert httpx.get(f"{one.url}/api/v1/query", headers=sent).status_code == 401


def test_an_access_token_is_never_valid_beyond_its_maximal_age() -> None:
    """One that claims to be from the future, as after a theft of the key, is refused now and would be refused later."""
    _, token = new_token("app", [Scope.READ], now=1)
    now = 1_000_000.0
    tokens = {token.public_prefix: token}
    text = AccessTokens(lambda: ["key"], lambda: tokens, lambda: now + 10_000).issue(token, [Scope.READ]).encode()
    assert AccessTokens(lambda: ["key"], lambda: tokens, lambda: now).find(text) is None
    found = AccessTokens(lambda: ["key"], lambda: tokens, lambda: now + 10_000).find(text)
    assert found is not None
    assert found.expires_at == now + 10_000 + LIFETIME
