"""The client for operators manages tokens, applications, groups and secrets, and exports the audit record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from heksherlite.admin import AccessRefusedError, AdminClient, Approval, RequestRefusedError
from heksherlite.service import embedded
from tests.service.api import FEATURES, Api
from tests.service.applications import SHOP
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

IN_A_DAY = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture(scope="module")
def url_and_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Return the URL of a service, and a token with every scope."""
    path = tmp_path_factory.mktemp("access") / "a.db"
    token = make_token(path, "jane", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        yield service.url, token


@pytest.fixture
def admin(url_and_token: tuple[str, str]) -> Iterator[AdminClient]:
    """Return a client for operators."""
    url, token = url_and_token
    with AdminClient(url, token=token) as client:
        yield client


def actions(admin: AdminClient, **search: Any) -> list[str]:
    """Return the actions in the audit record, the oldest first."""
    return [orjson.loads(line)["action"] for line in admin.export_audit(**search).splitlines()]


def test_tokens(admin: AdminClient, url_and_token: tuple[str, str]) -> None:
    """A token has what was asked for, works, and ends when it is revoked."""
    begin = datetime.now(UTC) - timedelta(seconds=1)
    text = admin.create_token("ci", ["read", "declare"], setting_prefix="shop.", expires_at=IN_A_DAY, owner="jo")
    (token,) = [each for each in admin.list_tokens() if each.name == "ci"]
    assert (token.public_prefix, token.scopes, token.setting_prefix) == (text[:12], ("read", "declare"), "shop.")
    assert (token.expires_at, token.owner, token.last_used_at) == (IN_A_DAY, "jo", None)
    assert begin.replace(microsecond=0) <= token.created_at <= datetime.now(UTC)
    with AdminClient(url_and_token[0], token=text) as limited:
        assert limited.list_settings() == ()
        with pytest.raises(AccessRefusedError, match="requires scope admin"):
            limited.list_tokens()
        admin.revoke_token("ci", reason="it was found in a log")
        with pytest.raises(AccessRefusedError, match="was revoked"):
            limited.list_settings()
    with pytest.raises(RequestRefusedError, match="there is no token named 'ci'") as caught:
        admin.revoke_token("ci")
    assert caught.value.status == 404
    admin.rotate_signing_key(at_once=True)
    found = actions(admin, actor_kind="token", since=begin)
    assert [each for each in found if each.startswith(("token", "signing"))] == [
        "token.create",
        "token.revoke",
        "signing_key.rotate",
    ]
    (revoked,) = admin.export_audit(action="token.revoke").splitlines()
    assert orjson.loads(revoked)["details"]["reason"] == "it was found in a log"
    assert actions(admin, since=begin, limit=1) == ["token.create"]
    assert admin.export_audit(after=orjson.loads(revoked)["id"], action="token.revoke") == b""


def test_an_application_from_its_invitation_to_its_end(admin: AdminClient, url_and_token: tuple[str, str]) -> None:
    """It is invited, gets a group with a secret, new credentials and an expiry, and is revoked."""
    url = url_and_token[0]
    admin.put_secret("password", "hunter2")
    admin.put_group("db", {"password": {"$secret": "password"}}, reason="for the shop")
    approval = Approval(scopes=["read"], setting_prefix="shop.", defaults={"environment": "prod"}, track={"user": "*"})
    invited = admin.invite_application(SHOP.identifier, approval, expires_at=IN_A_DAY)
    assert "hki_" not in repr(invited)
    admin.attach_group("db", [invited.id])
    (known,) = admin.list_applications()
    assert (known.id, known.status, known.expires_at) == (invited.id, "invited", IN_A_DAY)
    assert known.approval == Approval(
        scopes=("read",), setting_prefix="shop.", defaults={"environment": "prod"}, track={"user": "*"}, groups=("db",)
    )
    body = {"manifest": SHOP.parts(), "token": invited.one_time_token}
    first = httpx.post(f"{url}/f/redeem/", json=body).json()["token"]

    def claimed(token: str) -> Any:
        return httpx.post(f"{url}/f/claim/", json={"token": token}).json().get("config")

    assert claimed(first)["db"] == {"password": "hunter2"}
    new = admin.rotate_credentials(invited.id, previous_until=IN_A_DAY, expires_at=IN_A_DAY + timedelta(days=8))
    assert claimed(new.claim_token)["heksher"]["token"] == new.api_token
    assert (claimed(first) is not None, new.client_id, new.client_secret in repr(new)) == (True, invited.id, False)
    (known,) = admin.list_applications()
    assert (known.version, known.status, known.requested_scopes) == (SHOP.version, "active", SHOP.scopes)
    assert (known.expires_at, known.previous_expires_at) == (IN_A_DAY + timedelta(days=8), IN_A_DAY)
    (expiring,) = admin.expire_applications([invited.id], None)
    assert expiring.expires_at is None
    assert (dict(admin.list_groups()), admin.list_secrets()) == (
        {"db": {"password": {"$secret": "password"}}},
        ("password",),
    )
    with pytest.raises(RequestRefusedError, match="db"):
        admin.delete_group("db")
    admin.detach_group("db", [invited.id])
    admin.delete_group("db")
    admin.delete_secret("password")
    assert [each.id for each in admin.revoke_applications([invited.id])] == [invited.id]
    assert (claimed(new.claim_token), admin.list_applications(), admin.list_secrets()) == (None, (), ())


def test_codes_and_public_applications(admin: AdminClient, url_and_token: tuple[str, str]) -> None:
    """A code is opened, and approved or denied. A public application is registered."""
    url = url_and_token[0]

    def start() -> str:
        code: str = httpx.post(f"{url}/f/start/", json={"manifest": SHOP.parts()}).json()["code"]
        return code

    code = start()
    pending = admin.open_device_code(code)
    assert (pending.identifier, pending.version, pending.address) == (SHOP.identifier, SHOP.version, "127.0.0.1")
    approved = admin.approve_device_code(code, Approval(scopes=["read"]))
    public = admin.register_application("kiosk", Approval(), redirect_uri="https://kiosk.example")
    listed = {each.id: (each.status, each.redirect_uri) for each in admin.list_applications()}
    assert listed == {approved: ("approved", None), public: ("public", "https://kiosk.example")}
    code = start()
    admin.open_device_code(code)
    admin.deny_device_code(code, reason="nobody knows it")
    with pytest.raises(RequestRefusedError, match="no application waits"):
        admin.open_device_code("BCDFGHJK")
    admin.revoke_applications([approved, public])


def test_declarers(admin: AdminClient, url_and_token: tuple[str, str]) -> None:
    """The one that declared a setting first is listed by its name, and by its ID alone after it was revoked."""
    url = url_and_token[0]
    token = admin.create_token("program", ["declare"])
    api = Api(url, token=token)
    with api.http:
        api.declare("shop.size")
    (declarer,) = admin.declarers("shop.size")
    assert (declarer.kind, declarer.id, declarer.name) == ("token", token[:12], "program")
    admin.revoke_token("program")
    (declarer,) = admin.declarers("shop.size")
    assert declarer.name is None
    kiosk = admin.register_application("kiosk", Approval())
    admin.add_declarer("shop.size", "application", kiosk)
    admin.remove_declarer("shop.size", "token", token[:12], reason="it was revoked")
    (declarer,) = admin.declarers("shop.size")
    assert (declarer.kind, declarer.id, declarer.name) == ("application", kiosk, "kiosk")
    with pytest.raises(RequestRefusedError, match="there is no token with the id 'hkl_00000000'"):
        admin.add_declarer("shop.size", "token", "hkl_00000000")
