"""Tokens, applications and groups over HTTP, with the ``admin`` token of a person."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.api import Api
from tests.service.applications import SHOP
from tests.service.tokens import REFUSED, WITH_TOKENS, make_token
from tests.waiting import until


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Api]:
    """Return a client with a token that has scope admin."""
    token = make_token(tmp_path / "a.db", "jane", Scope.ADMIN)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS, context_features=["environment"]) as service:
        api = Api(service.url, token=token)
        with api.http:
            yield api


def claim(admin: Api, claim_token: str) -> httpx.Response:
    return httpx.post(f"{admin.url}/f/claim/", json={"token": claim_token})


def test_a_token_is_created_used_and_revoked(admin: Api) -> None:
    """A created token works at once, is in the list without its secret, and stops working when it is revoked."""
    expires_at = int(time.time()) + 3600
    body = {"name": "reader", "scopes": ["read"], "setting_prefix": "shop.", "expires_at": expires_at}
    created = admin.call("POST", "tokens", body)
    assert created.status_code == 201
    assert created.headers["cache-control"] == "no-store"
    secret = created.json()["token"]
    reader = Api(admin.url, token=secret)
    with reader.http:
        assert reader.get("settings").status_code == 200
        assert reader.get("tokens").status_code == 403
        listed = admin.get("tokens")
        assert secret not in listed.text
        (_, described) = listed.json()["tokens"]
        assert described == {
            "name": "reader",
            "public_prefix": secret[:12],
            "scopes": ["read"],
            "setting_prefix": "shop.",
            "created_at": described["created_at"],
            "expires_at": expires_at,
            "owner": None,
            "last_used_at": None,
        }
        assert admin.call("DELETE", "tokens/reader").status_code == 204
        until(lambda: reader.get("settings").status_code in REFUSED)
    assert admin.call("DELETE", "tokens/reader").status_code == 404


def test_an_application_is_invited_configured_and_revoked(admin: Api) -> None:
    """Everything that the command line does with the database works over HTTP, and the history names the token."""
    assert admin.call("PUT", "secrets/password", {"value": "hunter2"}).status_code == 204
    assert admin.call("PUT", "groups/db", {"values": {"password": {"$secret": "password"}}}).status_code == 204
    assert admin.get("groups").json() == {"groups": {"db": {"password": {"$secret": "password"}}}}
    assert admin.get("secrets").json() == {"secrets": ["password"]}
    body = {
        "identifier": SHOP.identifier,
        "approval": {"scopes": ["read"], "defaults": {"environment": "prod"}, "track": {"environment": ["prod"]}},
        "expires_at": int(time.time()) + 60,
        "reason": "for CI",
    }
    invited = admin.call("POST", "applications/invite", body).json()
    ids = {"ids": [invited["id"]], "group": "db"}
    assert admin.call("POST", "applications/attach", ids).status_code == 204
    redeemed = {"manifest": SHOP.parts(), "token": invited["one_time_token"]}
    claim_token = httpx.post(f"{admin.url}/f/redeem/", json=redeemed).json()["token"]
    config = claim(admin, claim_token).json()["config"]
    assert config["db"] == {"password": "hunter2"}
    assert config["heksher"]["defaults"] == {"environment": "prod"}
    (described,) = admin.get("applications").json()["applications"]
    assert described["id"] == invited["id"]
    assert described["groups"] == ["db"]
    assert admin.call("DELETE", "groups/db").status_code == 400
    assert admin.call("POST", "applications/detach", ids).status_code == 204
    assert admin.call("DELETE", "groups/db").status_code == 204
    assert admin.call("DELETE", "secrets/password").status_code == 204
    revoked = admin.call("POST", "applications/revoke", {"ids": [invited["id"]]}).json()
    assert [each["id"] for each in revoked["applications"]] == [invited["id"]]
    assert claim(admin, claim_token).json()["status"] != "granted"
    assert admin.call("POST", "applications/revoke", {"ids": [invited["id"]]}).status_code == 404


def test_a_device_code_is_approved_or_denied(admin: Api) -> None:
    """The administrator sees the request before deciding, and the application receives the decision."""

    def start() -> str:
        code: str = httpx.post(f"{admin.url}/f/start/", json={"manifest": SHOP.parts()}).json()["code"]
        return code

    def challenge(code: str) -> str:
        status: str = httpx.post(f"{admin.url}/f/challenge/", json={"code": code}).json()["status"]
        return status

    approved, denied = start(), start()
    opened = admin.call("POST", f"device_codes/{approved}/open").json()
    assert opened == {"identifier": SHOP.identifier, "version": "1.2", "scopes": [*SHOP.scopes], "address": "127.0.0.1"}
    decided = admin.call("POST", f"device_codes/{approved}/approve", {"approval": {"scopes": ["read"]}})
    assert [each["id"] for each in admin.get("applications").json()["applications"]] == [decided.json()["id"]]
    assert challenge(approved) == "granted"
    admin.call("POST", f"device_codes/{denied}/open")
    assert admin.call("POST", f"device_codes/{denied}/deny").status_code == 204
    assert challenge(denied) == "denied"
    assert admin.call("POST", "device_codes/BCDFGHJK/open").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "tokens", {"name": "a b", "scopes": ["read"]}, "'a b' is not a name for a token"),
        ("POST", "tokens", {"name": "jane", "scopes": ["read"]}, "there is a token named 'jane' already"),
        ("POST", "tokens", {"name": "a", "scopes": ["read"], "expires_at": 1}, "would have expired already"),
        ("POST", "tokens", {"name": "a", "scopes": ["read"], "setting_prefix": "a b"}, "cannot begin with 'a b'"),
        ("POST", "applications/register", {"identifier": ""}, "needs an identifier"),
        ("PUT", "groups/a.b", {"values": {}}, "not a name for a group"),
        ("PUT", "groups/a", {"values": {"a": {"$secret": "x"}}}, "there is no secret 'x'"),
        ("PUT", "secrets/a", {"value": ""}, "a secret is a text that is not empty"),
    ],
)
def test_mistakes_are_400(admin: Api, method: str, path: str, body: dict[str, object], message: str) -> None:
    """A request that cannot be carried out gets 400 with the reason."""
    response = admin.call(method, path, body)
    assert response.status_code == 400
    assert message in response.text


def test_applications_and_everyone_are_refused(admin: Api, tmp_path: Path) -> None:
    """An application with scope admin manages no access, and neither does anybody where no token is required."""
    registered = {"identifier": "robot", "approval": {"scopes": ["admin"]}}
    assert admin.call("POST", "applications/register", registered).status_code == 201
    retrieved = httpx.post(f"{admin.url}/f/retrieve/", json={"manifest": {"identifier": "robot", "version": "1"}})
    token = claim(admin, retrieved.json()["token"]).json()["config"]["heksher"]["token"]
    robot = Api(admin.url, token=token)
    with robot.http:
        response = robot.call("POST", "tokens", {"name": "a", "scopes": ["read"]})
        assert response.status_code == 403
        assert "belongs to an application" in response.json()["detail"]
    with embedded(tmp_path / "open.db") as service:
        everyone = Api(service.url)
        with everyone.http:
            response = everyone.call("POST", "tokens", {"name": "a", "scopes": ["read"]})
            assert response.status_code == 403
            assert "without --auth tokens" in response.json()["detail"]
