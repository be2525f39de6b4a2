"""OAuth2 access tokens for applications."""

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.api.access_tokens import LIFETIME, AccessTokens
from heksherlite.service.domain.tokens import Scope, new_token
from tests.service.api import FEATURES, Api
from tests.service.applications import SHOP, invite, revoke
from tests.service.tokens import REFUSED, WITH_TOKENS, make_token
from tests.waiting import until

GRANT = {"grant_type": "client_credentials"}
MALFORMED = (b"nocolon", b"\xff:\xff")


@dataclass
class Client:
    path: Path
    http: httpx.Client
    id: str
    secret: str

    def token(self, **form: str) -> str:
        response = self.http.post("/o/token", data={**GRANT, **form}, auth=(self.id, self.secret))
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    def status(self, token: str, call: str = "query") -> int:
        return self.http.get(f"/api/v1/{call}", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    path = tmp_path / "a.db"
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        client = _admitted(path, service.url)
        with closing(client.http):
            yield client


def _admitted(path: Path, url: str) -> Client:
    http = httpx.Client(base_url=url, timeout=30)
    body = {"manifest": SHOP.parts(), "token": invite(path)}
    token = http.post("/f/redeem/", json=body).json()["token"]
    group = http.post("/f/claim/", json={"token": token}).json()["config"]["oauth2"]
    assert group["token_url"] == f"{url}/o/token"
    return Client(path, http, group["client_id"], group["client_secret"])


def test_an_access_token_is_a_token(client: Client) -> None:
    """A client gets a short-lived bearer token with the granted scopes, by HTTP Basic or by the body."""
    by_body = {**GRANT, "client_id": client.id, "client_secret": client.secret}
    responses = [
        client.http.post("/o/token", data=GRANT, auth=(client.id, client.secret)),
        client.http.post("/o/token/", data=by_body),
    ]
    for response in responses:
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        members = response.json()
        token = members.pop("access_token")
        assert members == {"token_type": "Bearer", "expires_in": LIFETIME, "scope": "declare read"}
        assert client.status(token) == 200
        assert client.status(token, "history/1/revert") in {403, 405}
        api = Api(str(client.http.base_url), token=token)
        with api.http:
            assert api.declare().status_code == 200
            assert api.call("POST", "context_features", {"context_feature": "x"}).status_code == 403


def test_fewer_scopes_can_be_asked_for(client: Client) -> None:
    """A token has the requested scopes. A scope that was not granted is refused."""
    token = client.token(scope="read")
    assert client.status(token) == 200
    api = Api(str(client.http.base_url), token=token)
    with api.http:
        assert api.declare().status_code == 403
    response = client.http.post("/o/token", data={**GRANT, "scope": "read admin"}, auth=(client.id, client.secret))
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_scope"


def test_an_author_of_the_history(client: Client) -> None:
    """Changes with an access token are recorded with the application as author."""
    api = Api(str(client.http.base_url), token=client.token())
    with api.http:
        api.declare()
    auditor = Api(str(client.http.base_url), token=make_token(client.path, "auditor", Scope.READ, Scope.AUDIT))
    with auditor.http:
        authors = [record["author"] for record in auditor.history()]
    assert {"kind": "application", "id": client.id, "name": SHOP.identifier, "address": "127.0.0.1"} in authors


def test_revoking_ends_access_tokens_in_every_service(tmp_path: Path) -> None:
    """Every service accepts a signed token until the application is revoked."""
    path = tmp_path / "a.db"
    with embedded(path, access=WITH_TOKENS) as one, embedded(path, access=WITH_TOKENS) as other:
        client = _admitted(path, one.url)
        elsewhere = Client(path, httpx.Client(base_url=other.url, timeout=30), client.id, client.secret)
        with closing(client.http), closing(elsewhere.http):
            tokens = [client.token(), elsewhere.token()]
            assert [each.status(token) for each in (client, elsewhere) for token in tokens] == [200] * 4
            with elsewhere.http.stream(
                "GET", "/api/v1/stream", headers={"Authorization": f"Bearer {tokens[0]}"}
            ) as stream:
                assert stream.status_code == 200
                revoke(path)
                stream.read()  # it ends
            for each in (client, elsewhere):
                until(lambda each=each: each.status(tokens[0]) in REFUSED)  # type: ignore[misc]
                response = each.http.post("/o/token", data=GRANT, auth=(client.id, client.secret))
                assert response.status_code == 401


MALFORMED_FORMS: list[tuple[dict[str, Any], str]] = [
    ({}, "invalid_request"),
    ({"grant_type": ""}, "invalid_request"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
    ({**GRANT, "client_secret": "x"}, "invalid_request"),
    ({**GRANT, "scope": "\x00"}, "invalid_scope"),
    ({str(number): "x" for number in range(100)}, "invalid_request"),
]
NO_FORMS = (b"\xff=\xff", b"{}", b"grant_type=%ff", b"a;b", b"grant_type=client_credentials&x=%00")


def test_malformed_requests(client: Client) -> None:
    """Errors are those of RFC 6749, section 5.2, and contain no secret."""
    for form, error in MALFORMED_FORMS:
        response = client.http.post("/o/token", data=form, auth=(client.id, client.secret))
        assert (response.status_code, response.json()["error"]) == (400, error), form
        assert response.headers["cache-control"] == "no-store"
        assert client.secret not in response.text


def test_bodies_that_are_no_forms(client: Client) -> None:
    """Any malformed body gets an OAuth2 error."""
    for content in NO_FORMS:
        for kind in ("application/x-www-form-urlencoded", "application/json", "", "nonsense"):
            response = client.http.post("/o/token", content=content, headers={"Content-Type": kind})
            assert response.status_code in {400, 401}
            assert set(response.json()) == {"error", "error_description"}


def test_wrong_clients(client: Client) -> None:
    """An unknown client and a wrong secret get a challenge. Further attempts are slowed down."""
    wrong = [("x", "y"), ("\0", "\0"), (client.id, "y"), (client.id, ""), ("", ""), (client.id, client.secret + "x")]
    for credentials in wrong:
        response = client.http.post("/o/token", data=GRANT, auth=credentials)
        assert response.status_code == 401
        assert response.json()["error"] == "invalid_client"
        assert response.headers["www-authenticate"].startswith("Basic ")
    for header in ("Basic !", "Bearer x", *("Basic " + b64encode(each).decode() for each in MALFORMED)):
        response = client.http.post("/o/token", data=GRANT, headers={"Authorization": header})
        assert response.status_code == 401
    statuses = {client.http.post("/o/token", data=GRANT, auth=("x", "y")).status_code for _ in range(50)}
    assert statuses == {401, 429}
    assert client.token()


def test_encoded_credentials(client: Client) -> None:
    """Credentials in HTTP Basic are form-encoded (RFC 6749, section 2.3.1)."""
    encoded = "".join(f"%{ord(character):02X}" for character in client.secret)
    assert quote_plus(client.secret) == client.secret
    response = client.http.post("/o/token", data=GRANT, auth=(client.id, encoded))
    assert response.status_code == 200


def test_forged_and_expired_tokens() -> None:
    """Only tokens that were signed with the key are valid, until they expire."""
    text, token = new_token("shop", [Scope.READ, Scope.WRITE], now=0)
    tokens = {token.public_prefix: token}
    access_tokens = AccessTokens(lambda: "key", lambda: tokens)
    earliest = int(time.time())
    access_token = access_tokens.issue(token, [Scope.READ]).encode()
    found = access_tokens.find(access_token)
    assert found is not None
    assert found.expires_at is not None
    assert (found.name, found.scopes) == ("shop", frozenset({Scope.READ}))
    assert earliest + LIFETIME <= found.expires_at <= time.time() + LIFETIME
    assert AccessTokens(lambda: "other", lambda: tokens).find(access_token) is None
    assert AccessTokens(lambda: "key", dict).find(access_token) is None
    for position in range(len(access_token) - 1):  # some of the bits of the last character mean nothing
        forged = bytearray(access_token)
        forged[position] ^= 1
        assert access_tokens.find(bytes(forged)) is None
    for nonsense in (b"", b"hka_", b"hka_.", b"hka_\xff", text.encode(), b"hka_" + b"A" * 10_000, access_token[:-1]):
        assert access_tokens.find(nonsense) is None


def test_it_ends_with_its_token() -> None:
    """An access token ends with the token of its application, and allows no more."""
    now = int(time.time())
    _, token = new_token("shop", [Scope.READ], now=now, expires_at=now + 60)
    access_tokens = AccessTokens(lambda: "key", lambda: {token.public_prefix: token})
    found = access_tokens.find(access_tokens.issue(token, Scope).encode())
    assert found is not None
    assert found.scopes == {Scope.READ}
    assert found.expired(now + 60)
