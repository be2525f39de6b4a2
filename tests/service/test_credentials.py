"""Credentials end and are replaced: the signing key, and what is known of the use and expiry of tokens."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.api.access_tokens import AccessTokens
from heksherlite.service.domain.signing_keys import OVERLAP, SigningKeys
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.storage.token_uses import INTERVAL
from tests.service.applications import SHOP, invite
from tests.service.stores import opened, run_sql
from tests.service.tokens import EVERY_SCOPE, REFUSED, WITH_TOKENS, make_token

DAY = 86_400


@pytest.mark.parametrize("at_once", [False, True])
def test_the_signing_key_is_rotated(tmp_path: Path, at_once: bool) -> None:
    """Access tokens and device codes of the previous key end in time, or at once where somebody may know the key."""
    path = tmp_path / "a.db"
    admin = {"Authorization": f"Bearer {make_token(path, 'admin', *EVERY_SCOPE)}"}
    one_time_token = invite(path)
    with embedded(path, access=WITH_TOKENS) as service, httpx.Client(base_url=service.url, timeout=30) as http:
        token = http.post("/f/redeem/", json={"manifest": SHOP.parts(), "token": one_time_token}).json()["token"]
        client = http.post("/f/claim/", json={"token": token}).json()["config"]["oauth2"]
        auth = (client["client_id"], client["client_secret"])

        def access_token() -> dict[str, str]:
            granted = http.post("/o/token", data={"grant_type": "client_credentials"}, auth=auth).json()
            return {"Authorization": f"Bearer {granted['access_token']}"}

        before, code = access_token(), http.post("/f/start/", json={"manifest": SHOP.parts()}).json()
        del code["status"]
        response = http.post("/api/v1/signing_key/rotate", json={"at_once": at_once}, headers=admin)
        assert response.status_code == 204
        assert (http.get("/api/v1/query", headers=before).status_code in REFUSED) is at_once
        assert http.get("/api/v1/query", headers=access_token()).status_code == 200
        assert http.post("/f/challenge/", json=code).json() == {"status": "waiting"}
        (event,) = [
            each
            for each in http.get("/api/v1/audit", headers=admin).json()["audit"]
            if each["action"] == "signing_key.rotate"
        ]
        assert (event["actor"]["name"], event["details"]) == ("admin", {"at_once": at_once})


def test_the_previous_key_is_accepted_for_a_while() -> None:
    """What it signed is refused after the overlap, whatever it claims."""
    keys, now = SigningKeys("new", "old", 1_000), 1_000.0
    _, token = new_token("app", [Scope.READ], now=1)
    tokens = {token.public_prefix: token}
    text = AccessTokens(lambda: ["old"], lambda: tokens, lambda: now + OVERLAP).issue(token, [Scope.READ]).encode()

    def accepted(at: float) -> bool:
        found = AccessTokens(lambda: keys.accepted(at), lambda: tokens, lambda: now + OVERLAP).find(text)
        return found is not None

    assert accepted(now + OVERLAP - 1)
    assert not accepted(now + OVERLAP)


def test_the_use_of_a_token_is_known(new_database: Callable[[], str]) -> None:
    """It is stored at most once in an hour, by whichever service saw it, and makes no new revision."""
    database = new_database()

    async def run() -> None:
        async with opened(database) as store:
            counters, uses, now = store.catalog.counters, store.access.token_uses, 1_000_000.0
            for seconds in (0, INTERVAL - 1, INTERVAL, 2 * INTERVAL - 1):
                uses.used.add("hkl_00000000")
                await uses.write_due(now + seconds)
                stored = now + (INTERVAL if seconds >= INTERVAL else 0)
                assert await uses.all() == {"hkl_00000000": stored}
            async with opened(database) as other:
                other.access.token_uses.used.add("hkl_00000000")
                await other.access.token_uses.write_due(now)  # its clock is late
            assert await uses.all() == {"hkl_00000000": now + INTERVAL}
            await store.load()
            assert store.catalog.counters == counters

    asyncio.run(run())


def test_the_list_shows_the_last_use(new_database: Callable[[], str]) -> None:
    """A token that was never used has none; a revoked token leaves nothing behind."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as service:
        headers = {"Authorization": f"Bearer {service.first_token}"}
        with httpx.Client(base_url=service.url, headers=headers) as http:
            http.post("/api/v1/tokens", json={"name": "b", "scopes": ["read"]})
            prefix = (service.first_token or "")[:12]
            run_sql(database, "DELETE FROM token_uses", f"INSERT INTO token_uses VALUES ('{prefix}', 5)")  # noqa: S608
            listed = {each["name"]: each["last_used_at"] for each in http.get("/api/v1/tokens").json()["tokens"]}
            assert listed == {"admin": 5, "b": None}
            assert http.delete("/api/v1/tokens/admin").status_code == 204
    assert run_sql(database, "SELECT * FROM token_uses") == []


def test_a_token_that_expires_soon_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log warns of it once, with its name and not its secret; a token with time left, or without end, is quiet."""
    path, now = tmp_path / "a.db", time.time()
    created = now - 80 * DAY
    soon = make_token(path, "soon", Scope.READ, expires_at=int(now + 10 * DAY), now=created)
    make_token(path, "later", Scope.READ, expires_at=int(now + 30 * DAY), now=created)
    make_token(path, "never", Scope.READ, now=created)

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store:
            for _ in range(2):
                store.access.token_uses.warn_of_expiry(store.tokens, now)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    (record,) = [record for record in caplog.records if "expires soon" in record.message]
    assert record.message == "a token expires soon: soon, in 239 hours"
    assert soon not in caplog.text


@pytest.mark.parametrize(
    ("lifetime", "left", "is_soon"), [(90, 15, False), (90, 14, True), (10, 3, False), (10, 2, True)]
)
def test_soon_depends_on_the_lifetime(lifetime: int, left: int, is_soon: bool) -> None:
    """Two weeks of a long life, a fifth of a short one."""
    _, token = new_token("a", [Scope.READ], now=0, expires_at=lifetime * DAY)
    assert token.expires_soon((lifetime - left) * DAY) is is_soon
    assert not token.expires_soon(lifetime * DAY)


def test_the_credentials_of_an_application_expire(new_database: Callable[[], str]) -> None:
    """All of them end at once, wherever they are used, until the expiry is changed."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as service, httpx.Client(base_url=service.url, timeout=30) as http:
        admin = {"Authorization": f"Bearer {service.first_token}"}

        def manage(what: str, **body: object) -> httpx.Response:
            return http.post(f"/api/v1/applications/{what}", json=body, headers=admin)

        approval = {"scopes": ["read"]}
        body = {"identifier": SHOP.identifier, "approval": approval, "expires_at": int(time.time()) + 60}
        invited = manage("invite", **body).json()
        early = manage("expire", ids=[invited["id"]], expires_at=None)
        assert early.status_code == 400
        assert "has no credentials yet" in early.text
        redeemed = {"manifest": SHOP.parts(), "token": invited["one_time_token"]}
        claim_token = http.post("/f/redeem/", json=redeemed).json()["token"]
        config = http.post("/f/claim/", json={"token": claim_token}).json()["config"]
        client = (config["oauth2"]["client_id"], config["oauth2"]["client_secret"])
        grant = {"grant_type": "client_credentials"}
        access_token = http.post("/o/token", data=grant, auth=client).json()["access_token"]
        public = manage("register", identifier="kiosk", approval=approval).json()["id"]
        refresh = {"grant_type": "refresh_token", "refresh_token": claim_token}

        def accepted() -> list[bool]:
            tokens = (config["heksher"]["token"], access_token)
            reads = [http.get("/api/v1/query", headers={"Authorization": f"Bearer {each}"}) for each in tokens]
            grants = [http.post("/o/token", data=grant, auth=client), http.post("/o/token", data=refresh)]
            kiosk = {"identifier": "kiosk", "version": "1"}
            claims = [
                http.post("/f/claim/", json={"token": claim_token}),
                http.post("/f/retrieve/", json={"manifest": kiosk}),
            ]
            return [
                *(response.status_code == 200 for response in (*reads, *grants)),
                *(response.json()["status"] == "granted" for response in claims),
            ]

        assert accepted() == [True] * 6
        ids = [invited["id"], public]
        ended = manage("expire", ids=ids, expires_at=int(time.time()))
        assert [each["id"] for each in ended.json()["applications"]] == ids
        assert accepted() == [False] * 6
        assert manage("expire", ids=ids, expires_at=int(time.time()) + DAY).status_code == 200
        assert accepted() == [True] * 6
        assert manage("expire", ids=[invited["id"], "x"], expires_at=None).status_code == 404
        run_sql(database, "DELETE FROM token_uses", f"INSERT INTO token_uses VALUES ('hkl_{invited['id']}', 5)")  # noqa: S608
        listed = http.get("/api/v1/applications", headers=admin).json()["applications"]
        assert {each["id"]: each["last_used_at"] for each in listed} == {invited["id"]: 5, public: None}
        assert manage("revoke", ids=ids).status_code == 200
    assert run_sql(database, "SELECT * FROM token_uses WHERE last_used_at = 5") == []
