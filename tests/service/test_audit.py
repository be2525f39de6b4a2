"""The audit record: what is kept of whom, in which transaction, and how it stays small."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.api.audit_recorder import AuditRecorder
from heksherlite.service.domain.access.auditing import audit_events
from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.applications import Approval, registered
from heksherlite.service.domain.audit import Action, AuditEvent, AuditOutcome, DatedEvent
from heksherlite.service.domain.audit_sampling import AuditSampler
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.storage.audit import AuditSearch
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.tokens import add_token, remove_token
from tests.service.api import FEATURES, Api
from tests.service.applications import BY_JANE, SHOP
from tests.service.browser import Browser
from tests.service.stores import opened
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ADMIN_TOKEN = Cause(Author("token", "admin", "10.0.0.7", "hkl_01234567"), "for a test")
ANYTHING = AuditSearch()


def event(action: Action = Action.CLAIM_CONFIGURATION, **fields: Any) -> AuditEvent:
    return AuditEvent(**{"action": action, "actor": Author("application", "shop", "10.0.0.1", "app1"), **fields})


DENIED = event(Action.SEND_REQUEST, actor=Author("anonymous", address="10.0.0.9"), outcome=AuditOutcome.DENIED)


async def told(store: Store) -> list[tuple[str, str | None]]:
    records = await store.audit.search(ANYTHING, limit=100, oldest_first=True)
    return [(record.dated.event.action.value, record.dated.event.subject) for record in records]


def test_every_change_of_access_is_recorded(database: str) -> None:
    """Tokens, applications, groups and secrets: each write of them leaves its record, with actor, time and details."""
    _, token = new_token("ci", [Scope.READ], now=time.time(), setting_prefix="shop.")
    application = registered("kiosk", Approval(), now=time.time())

    async def run() -> None:
        async with opened(database) as store:
            before = store.now()
            await add_token(store.access, token, ADMIN_TOKEN)
            await store.groups.put_secret("password", "hunter2", ADMIN_TOKEN)
            await store.groups.put(Group("db", {"user": "x", "password": {"$secret": "password"}}), ADMIN_TOKEN)
            await store.applications.add(application, ADMIN_TOKEN)
            await store.applications.change_approval(
                [application.id], lambda approval: replace(approval, groups=("db",)), ADMIN_TOKEN
            )
            await store.applications.revoke([application.id], ADMIN_TOKEN)
            await store.groups.remove("db", ADMIN_TOKEN)
            await store.groups.remove_secret("password", ADMIN_TOKEN)
            await remove_token(store.access, "ci", ADMIN_TOKEN)
            assert await told(store) == [
                ("token.create", token.public_prefix),
                ("secret.put", "password"),
                ("group.put", "db"),
                ("application.register", application.id),
                ("application.change", application.id),
                ("application.revoke", application.id),
                ("group.delete", "db"),
                ("secret.delete", "password"),
                ("token.revoke", token.public_prefix),
            ]
            first, *rest = await store.audit.search(ANYTHING, limit=100, oldest_first=True)
            assert before <= first.dated.time <= store.now()
            assert first.dated.event.actor == ADMIN_TOKEN.author
            assert first.dated.event.details == {
                "name": "ci",
                "owner": None,
                "scopes": ["read"],
                "setting_prefix": "shop.",
                "expires_at": None,
                "reason": "for a test",
            }
            assert rest[1].dated.event.details["secrets"] == ["password"]
            assert "hunter2" not in str([record.as_json() for record in (first, *rest)])

    asyncio.run(run())


def test_no_part_of_the_access_state_is_forgotten() -> None:
    """Each thing that a write may change has its events, or is known to need none."""
    audited = {"tokens", "applications", "groups", "secrets", "sessions"}
    audited |= {f"removed_{name}" for name in audited} | {"revoked_access_tokens", "device_codes", "signing_keys"}
    clean_ups = {"codes_expired_before", "sessions_expired_before", "revocations_expired_before"}
    assert {field.name for field in fields(AccessChanges)} == audited | clean_ups | {"history"}
    revoked = AccessChanges(revoked_access_tokens=((b"digest", 0),))
    (found,) = audit_events(AccessState(), revoked, BY_JANE)
    assert (found.action, found.actor) == (Action.REVOKE_ACCESS_TOKEN, BY_JANE.author)


def test_device_codes_tell_who_decided_and_who_collected(database: str) -> None:
    """The approval is its operator's, and the collection of the token is the application's, by its id."""

    async def run() -> None:
        async with opened(database) as store:
            code = await store.device_codes.start(SHOP, "10.0.0.1", 0)
            await store.device_codes.open(code, None, "10.0.0.7", 0)
            approved = await store.device_codes.approve(code, Approval(), BY_JANE, 0)
            program = Author("application", SHOP.identifier, "10.0.0.1", approved.id)
            await store.device_codes.collect(code, Cause(program), 0)
            denied = await store.device_codes.start(SHOP, "10.0.0.1", 0)
            await store.device_codes.open(denied, None, "10.0.0.7", 0)
            await store.device_codes.deny(denied, BY_JANE, 0)
            records = await store.audit.search(ANYTHING, limit=9, oldest_first=True)
            assert [(each.dated.event.action.value, each.dated.event.actor) for each in records] == [
                ("application.approve", BY_JANE.author),
                ("application.activate", program),
                ("application.deny", BY_JANE.author),
            ]

    asyncio.run(run())


def test_a_write_that_fails_leaves_no_record(database: str) -> None:
    """The record is in the transaction of the write: what is rolled back was not done."""

    class StopError(Exception):
        pass

    async def run() -> None:
        async with opened(database) as store:
            _, token = new_token("ci", [Scope.READ], now=time.time())

            def fail_the_second_time(state: AccessState) -> AccessDecision[None]:
                decided.append(state)
                if len(decided) > 1:
                    raise StopError
                return AccessDecision(None, AccessChanges(tokens=(token,)))

            decided: list[AccessState] = []
            with suppress(StopError):
                await store.access.write(fail_the_second_time, ADMIN_TOKEN)
            assert await told(store) == []
            await add_token(store.access, token, ADMIN_TOKEN)
            with pytest.raises(ValueError, match="already"):
                await add_token(store.access, replace(token, public_prefix="hkl_ffffffff"), ADMIN_TOKEN)
            assert await told(store) == [("token.create", token.public_prefix)]

    asyncio.run(run())


def test_old_records_and_a_flood_of_denials_are_deleted(database: str) -> None:
    """What is older than the retention goes, and of denials the newest stay; ids are not used again."""

    async def run() -> None:
        async with opened(database) as store:
            now = store.now()
            await store.audit.append([DatedEvent(now - timedelta(days=2), event())])
            await store.audit.append([DatedEvent(now, DENIED)] * 5 + [DatedEvent(now, event())])
            await store.audit.prune(before=now - timedelta(days=1), most_denials=3)
            kept = await store.audit.search(ANYTHING, limit=9, oldest_first=True)
            assert [record.dated.event.outcome.value for record in kept] == ["denied"] * 3 + ["succeeded"]
            await store.audit.prune(before=now + timedelta(days=1), most_denials=3)
            await store.audit.append([DatedEvent(now, event())])
            (last,) = await store.audit.search(ANYTHING, limit=9)
            assert last.id > kept[-1].id

    asyncio.run(run())


def test_the_sampler_counts_what_it_does_not_admit() -> None:
    """Ten events of a client are kept one by one; the rest of a minute is one record with its count."""
    sampler = AuditSampler()
    assert [sampler.admits(event(), "app1", now=0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert sampler.admits(event(), "app2", now=0)
    assert not sampler.admits(event(), "app1", now=5)
    (summary,) = sampler.summaries()
    assert (summary.count, summary.actor) == (3, Author("application", "shop", id="app1"))
    assert sampler.summaries() == []
    assert sampler.admits(event(), "app1", now=60)


def test_denials_from_many_addresses_stay_few() -> None:
    """However many addresses are denied, only so many records come of it, and all the others are counted."""
    sampler = AuditSampler()
    admitted = sum(sampler.admits(DENIED, str(number), now=number / 1_000) for number in range(10_000))
    assert 200 <= admitted <= 220
    (summary,) = sampler.summaries()
    assert (summary.count, summary.actor.address) == (10_000 - admitted, None)


def test_records_wait_while_the_database_is_away(tmp_path: Path) -> None:
    """A claim is answered without its record being lost: it is written when the database is back."""
    path = tmp_path / "a.db"

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store:
            recorder = AuditRecorder(store.audit, store.now)
            path.rename(tmp_path / "away.db")
            await recorder.record(event())
            (tmp_path / "away.db").rename(path)
            store.availability.reached(store.availability.now())
            await recorder.write_pending()
            assert await told(store) == [("configuration.claim", None)]

    asyncio.run(run())


class Service:
    def __init__(self, path: Path, url: str, token: str) -> None:
        self.path = path
        self.url = url
        self.token = token
        self.api = Api(url, token=token)

    def found(self, **params: Any) -> list[dict[str, Any]]:
        response = self.api.get("audit", **params)
        assert response.status_code == 200, response.text
        records: list[dict[str, Any]] = response.json()["audit"]
        return records


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    path = tmp_path_factory.mktemp("audit") / "a.db"
    token = make_token(path, "admin", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as running:
        service = Service(path, running.url, token)
        with service.api.http:
            yield service


def test_actors_are_told_by_kind_and_id(service: Service) -> None:
    """An application that calls itself admin is not the token admin, in the history and in the audit record."""
    registration = {"identifier": "admin", "approval": {"scopes": ["read", "declare", "audit"]}}
    created = service.api.call("POST", "applications/register", registration).json()["id"]
    config = httpx.post(f"{service.url}/f/claim/", json={"token": retrieved(service, "admin")}).json()["config"]
    application = Api(service.url, token=config["heksher"]["token"])
    with application.http:
        application.declare("of_admin")
        assert application.call("DELETE", "settings/of_admin").status_code == 403
    service.api.call("DELETE", "settings/of_admin")
    deleted, declared = service.api.history(setting="of_admin")
    assert declared["author"] == {"kind": "application", "id": created, "name": "admin", "address": "127.0.0.1"}
    assert deleted["author"]["kind"] == "token"
    assert deleted["author"]["id"] == service.token[:12]
    assert deleted["author"]["name"] == "admin"
    (claimed,) = service.found(action="configuration.claim", actor_id=created)
    assert claimed["actor"] == {"kind": "application", "id": created, "name": "admin", "address": "127.0.0.1"}
    (refused,) = service.found(outcome="denied", actor_kind="application", actor_id=created)
    assert refused["action"] == "request"
    assert refused["details"]["method"] == "DELETE"
    assert refused["details"]["route"] == "/api/v1/settings/{name}"
    assert refused["details"]["status"] == 403
    assert "scope admin" in refused["details"]["reason"]


def retrieved(service: Service, identifier: str) -> str:
    manifest = {"identifier": identifier, "version": "1"}
    token: str = httpx.post(f"{service.url}/f/retrieve/", json={"manifest": manifest}).json()["token"]
    return token


def test_logins_and_their_failures_are_recorded(service: Service) -> None:
    """A login names its token, a failed one its address and reason, and never what was entered."""
    with Browser(service.url) as browser:
        browser.log_in("hkl_nonsense")
        browser.log_in(service.token)
    (begun,) = service.found(action="login", outcome="succeeded")
    assert begun["actor"]["id"] == service.token[:12]
    (failed,) = service.found(action="login", outcome="denied")
    assert failed["actor"] == {"kind": "anonymous", "id": None, "name": None, "address": "127.0.0.1"}
    assert "malformed token" in failed["details"]["reason"]
    assert "nonsense" not in str(failed)


def test_access_tokens_are_recorded(service: Service) -> None:
    """Whoever gets an access token is told by its id, and whoever is refused one by its address."""
    service.api.call("POST", "applications/register", {"identifier": "robot", "approval": {"scopes": ["read"]}})
    oauth2 = httpx.post(f"{service.url}/f/claim/", json={"token": retrieved(service, "robot")}).json()["config"][
        "oauth2"
    ]
    form = {"grant_type": "client_credentials"}
    right = httpx.post(f"{service.url}/o/token", data=form, auth=(oauth2["client_id"], oauth2["client_secret"]))
    wrong = httpx.post(f"{service.url}/o/token", data=form, auth=(oauth2["client_id"], "wrong"))
    device = {"grant_type": DEVICE_CODE, "device_code": "BCDFGHJK.guess", "client_id": "robot"}
    guess = httpx.post(f"{service.url}/o/token", data=device)
    assert (right.status_code, wrong.status_code, guess.status_code) == (200, 401, 400)
    guessed, refused, issued = service.found(action="access_token.issue")
    assert (guessed["outcome"], guessed["details"]["error"]) == ("denied", "invalid_grant")
    assert (issued["outcome"], issued["subject"], issued["details"]) == (
        "succeeded",
        oauth2["client_id"],
        {"scopes": ["read"]},
    )
    assert (refused["outcome"], refused["actor"]["kind"]) == ("denied", "anonymous")
    assert right.json()["access_token"] not in str(service.found())


def test_refused_grants_are_recorded(service: Service) -> None:
    """Claims, redemptions and device codes that are refused with status 200 count as denied as well."""
    manifest = {"identifier": "org.example", "version": "1"}
    for call, body in (
        ("claim", {"token": "hkc_nothing"}),
        ("retrieve", {"manifest": manifest}),
        ("redeem", {"manifest": manifest, "token": "nothing"}),
        ("challenge", {"code": "BCDFGHJK"}),
    ):
        assert httpx.post(f"{service.url}/f/{call}/", json=body).status_code == 200
    denied = [*service.found(action="configuration.claim", outcome="denied")]
    denied += service.found(action="application.activate", outcome="denied")
    assert len(denied) == 4
    assert all(record["details"]["reason"] for record in denied)


def test_break_glass_is_recorded_with_its_change(service: Service) -> None:
    """The record names the author, the reason, the settings and the revision."""
    service.api.declare("guarded")
    protect = {"op": "set_protection", "setting": "guarded", "protected": True}
    service.api.call("POST", "changes", {"operations": [protect]})
    rule = {"op": "put_rule", "setting": "guarded", "feature_values": {"user": "a"}, "value": 1}
    change = {"operations": [rule], "break_glass": True, "reason": "an emergency"}
    revision = service.api.call("POST", "changes", change).json()["revision"]
    (record,) = service.found(action="settings.break_glass")
    assert record["details"] == {"reason": "an emergency", "revision": revision, "settings": ["guarded"]}
    assert record["actor"]["id"] == service.token[:12]


def test_pages_and_filters_find_every_record_once(service: Service) -> None:
    """Pages go from the newest to the oldest, and each filter leaves out the others."""
    for number in range(4):
        service.api.call("POST", "tokens", {"name": f"t{number}", "scopes": ["read"]})
    pages = [service.api.get("audit", action="token.create", limit=2).json()]
    while (before := pages[-1]["next"]) is not None:
        pages.append(service.api.get("audit", action="token.create", limit=2, before=before).json())
    listed = [record for page in pages for record in page["audit"]]
    assert [record["id"] for record in listed] == sorted((record["id"] for record in listed), reverse=True)
    names = [record["details"]["name"] for record in listed]
    assert names[:4] == ["t3", "t2", "t1", "t0"]
    newest = listed[0]
    assert service.found(subject=newest["subject"]) == [newest]
    assert service.found(since=newest["time"], action="token.create", actor_kind="token") == [newest]
    assert newest not in service.found(until=newest["time"], address="127.0.0.1")
    assert service.found(actor_id="nobody") == service.found(address="10.9.9.9") == []
    for wrong in ({"action": "x"}, {"outcome": "x"}, {"limit": 0}, {"since": "x"}, {"before": -1}):
        assert service.api.get("audit", **wrong).status_code == 422


def test_the_export_is_the_same_over_http_and_on_the_command_line(service: Service, tmp_path: Path) -> None:
    """JSON lines, the oldest first, from the database or from the service; ``after`` continues an export."""
    service.found()  # writes what waits
    response = service.api.get("audit/export")
    assert response.headers["content-type"] == "application/x-ndjson"
    records = [orjson.loads(line) for line in response.content.splitlines()]
    assert [record["id"] for record in records] == sorted(record["id"] for record in records)
    runner, output = CliRunner(), tmp_path / "audit.jsonl"
    command = ["audit", "--output", str(output), "--database", f"sqlite:///{service.path}"]
    assert runner.invoke(heksherlite, command).exit_code == 0
    assert output.read_bytes() == response.content
    assert output.stat().st_mode & 0o077 == 0
    of_service = ["audit", "--url", service.url, "--token", service.token, "--output", str(output)]
    assert runner.invoke(heksherlite, [*of_service, "--after", str(records[0]["id"])]).exit_code == 0
    assert output.read_bytes() == response.content.partition(b"\n")[2]
    only = runner.invoke(heksherlite, [*of_service, "--action", "login", "--outcome", "denied"])
    assert only.exit_code == 0
    assert {orjson.loads(line)["action"] for line in output.read_bytes().splitlines()} <= {"login"}
    assert "the actions are" in runner.invoke(heksherlite, [*command, "--action", "nonsense"]).output
    of_service[4] = make_reader(service)
    assert "requires scope audit" in runner.invoke(heksherlite, of_service).output


def make_reader(service: Service) -> str:
    token: str = service.api.call("POST", "tokens", {"name": "reader", "scopes": ["read", "admin"]}).json()["token"]
    return token


def test_the_history_shows_people_and_groups_to_audit_and_admin_only(service: Service) -> None:
    """To a token with read, a record tells the kind of its author and what happened to settings, and no more."""
    service.api.call("PUT", "groups/private", {"values": {"host": "db.internal"}})
    service.api.declare("public", default_value=1)
    for scopes in ("read", "read write", "read audit", "read admin"):
        created = service.api.call("POST", "tokens", {"name": scopes.replace(" ", "."), "scopes": scopes.split()})
        with Api(service.url, token=created.json()["token"]).http as http:
            page = http.get("/api/v1/history").json()["history"]
            group = next(each for record in page for each in record["changes"] if each["kind"] == "group")
            declared = next(each for record in page for each in record["changes"] if each["setting"] == "public")
            assert declared["after"]["default_value"] == 1
            by_author = http.get("/api/v1/history", params={"author": "admin"})
            if scopes in {"read", "read write"}:
                assert (group["before"], group["after"], group["hidden"]) == (None, None, True)
                authors = [record["author"] for record in page]
                assert all({*author.values()} == {author["kind"], None} for author in authors)
                assert by_author.status_code == 403
                assert "scope audit or admin" in by_author.text
                one = http.get(f"/api/v1/history/{page[0]['revision']}").json()
                assert one["author"] == page[0]["author"]
            else:
                assert group["after"] == {"host": "db.internal"}
                assert by_author.status_code == 200


def test_proposals_name_people_to_those_who_take_part(service: Service) -> None:
    """A token that only reads sees what is proposed, and not by whom."""
    service.api.declare("proposed")
    rule = {"op": "put_rule", "setting": "proposed", "feature_values": {"user": "a"}, "value": 1}
    number = service.api.call("POST", "proposals", {"operations": [rule]}).json()["proposal_id"]
    for scopes, name in ((["read"], None), (["propose"], "admin")):
        created = service.api.call("POST", "tokens", {"name": f"p.{scopes[0]}", "scopes": scopes}).json()["token"]
        with Api(service.url, token=created).http as http:
            assert http.get(f"/api/v1/proposals/{number}").json()["author"]["name"] == name
