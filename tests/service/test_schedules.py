"""Rules that are only served from one time to another."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.service import embedded
from heksherlite.service.domain import context_features, rules
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.schedule import Phase, Schedule, schedule_of
from heksherlite.service.following import switch_rules
from tests.service.api import FEATURES, Api
from tests.service.stores import Write, following, opened
from tests.service.test_store import declaration
from tests.service.test_stream import opened as opened_stream
from tests.waiting import until, until_async

LINES = {"accept": "application/x-ndjson", "a-im": "heksherlite"}
LONG_AGO, FAR_AHEAD = "2001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def add(api: Api, user: str = "a", **fields: Any) -> int:
    body = {"setting": "cache_ttl", "feature_values": {"user": user}, "value": 1, **fields}
    response = api.call("POST", "rules", body)
    assert response.status_code == 201, response.text
    rule_id: int = response.json()["rule_id"]
    return rule_id


def phase(api: Api, rule_id: int) -> str:
    text: str = api.get(f"rules/{rule_id}").json()["phase"]
    return text


def change_soon(api: Api, rule_id: int, field: str) -> int:
    """Give a pending rule a start, or an active one an end, that is just ahead; return the revision."""
    wanted = {"starts_at": "pending", "ends_at": "active"}[field]
    for seconds in (0.2, 2, 20):  # for a machine that is so slow that it is over before it is written
        time = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        if api.call("PUT", f"rules/{rule_id}/schedule", {field: time}).is_success:
            record = next(record for record in api.history(rule_id=rule_id) if record["author"]["kind"] != "schedule")
            if record["changes"][0]["after"]["phase"] == wanted:
                revision: int = record["revision"]
                return revision
        api.call("PUT", f"rules/{rule_id}/schedule", {field: FAR_AHEAD})
    pytest.fail("the machine is too slow")


def switches(api: Api, rule_id: int) -> list[tuple[str, str]]:
    records = [record for record in api.history(rule_id=rule_id) if record["author"]["kind"] == "schedule"]
    changes = [change for record in reversed(records) for change in record["changes"]]
    return [(change["before"]["phase"], change["after"]["phase"]) for change in changes]


def test_a_rule_is_served_from_its_start_to_its_end(api: Api) -> None:
    """Before and after its period, a rule is stored with its phase but not served. The history has both switches."""
    api.declare()
    rule_id = add(api, starts_at=FAR_AHEAD)
    before = change_soon(api, rule_id, "starts_at")
    until(lambda: phase(api, rule_id) == "active")
    begun = change_soon(api, rule_id, "ends_at")
    until(lambda: phase(api, rule_id) == "ended")
    ended = api.history(limit=1)[0]
    assert [api.rule_ids(at=revision) for revision in (before, begun, ended["revision"])] == [[], [rule_id], []]
    assert api.rule_ids() == []
    assert switches(api, rule_id) == [("pending", "active"), ("active", "ended")]
    assert ended["author"] == {"kind": "schedule", "id": None, "name": None, "address": None}
    assert ended["time"] >= ended["changes"][0]["after"]["ends_at"]


def test_clients_that_follow_get_the_switches(api: Api) -> None:
    """A switch is sent to clients like any change, also in partial responses."""
    api.declare()
    add(api, user="b")

    def poll(tag: str) -> tuple[str, list[dict[str, Any]]]:
        response = api.call("GET", "query", params={"settings": "cache_ttl"}, headers={**LINES, "if-none-match": tag})
        assert response.status_code == 226
        return response.headers["etag"], [json.loads(line) for line in response.content.splitlines()]

    start = api.call("GET", "query", params={"settings": "cache_ttl"}, headers=LINES)
    rule_id = add(api, starts_at=FAR_AHEAD)
    tag, lines = poll(start.headers["etag"])
    assert (lines[1]["removed"], lines[2]) == ([rule_id], {"settings": 1})
    change_soon(api, rule_id, "starts_at")
    until(lambda: phase(api, rule_id) == "active")
    tag, lines = poll(tag)
    assert lines[2]["rule_ids"] == [rule_id]
    change_soon(api, rule_id, "ends_at")
    until(lambda: phase(api, rule_id) == "ended")
    tag, lines = poll(tag)
    assert (lines[1]["removed"], lines[2]) == ([rule_id], {"settings": 1})


def test_a_switch_is_pushed(api: Api) -> None:
    """A switch is an event of the stream."""
    api.declare()
    rule_id = add(api, starts_at=FAR_AHEAD)
    with opened_stream(api, settings="cache_ttl") as stream:
        stream.next()
        change_soon(api, rule_id, "starts_at")
        while phase(api, rule_id) != "active":
            assert stream.change() == ["cache_ttl"]


def test_of_several_services_one_makes_each_switch(tmp_path: Path) -> None:
    """Of all services on a database, one makes each switch, and all serve it."""
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES) as one, embedded(path) as two, embedded(path) as three:
        apis = [Api(service.url) for service in (one, two, three)]
        with apis[0].http, apis[1].http, apis[2].http:
            apis[0].declare()
            ids = [add(apis[0], user=f"u{number}", starts_at=FAR_AHEAD) for number in range(5)]
            for rule_id in ids:
                change_soon(apis[0], rule_id, "starts_at")
            until(lambda: all(phase(api, rule_id) == "active" for api in apis for rule_id in ids))
            until(lambda: all(api.rule_ids() == ids for api in apis))
            # A second switch would be one from active to active; a pending rule may have been begun twice by the test.
            assert all(set(switches(apis[0], rule_id)) == {("pending", "active")} for rule_id in ids)


def writing_rule(number: int, starts_at: datetime, ends_at: datetime | None = None) -> Write:
    """Add a pending rule whose times are over, as a service leaves it that stopped before."""
    add_rule = partial(rules.add, setting_name="cache_ttl", feature_values={"f": str(number)}, value=1, metadata={})
    return partial(add_rule, schedule=Schedule(starts_at, ends_at))


def test_a_service_that_was_away_makes_up_for_it(database: str) -> None:
    """A service makes the switches that were due while no service ran, directly to the current phase."""
    year_1, year_2, year_3 = (datetime(year, 1, 1, tzinfo=UTC) for year in (2001, 2002, 2100))

    async def prepare() -> None:
        async with opened(database) as store:
            await store.write(partial(context_features.expect, expected=["f"]))
            await store.write(declaration("cache_ttl", {"f"}, 0))
            for number, times in enumerate([(year_1, None), (year_1, year_2), (year_1, year_3), (year_3, None)]):
                await store.write(writing_rule(number, *times))

    asyncio.run(prepare())
    with embedded(database) as service:
        api = Api(service.url)
        with api.http:
            until(lambda: phase(api, 1) == "active")
            assert [phase(api, rule_id) for rule_id in (1, 2, 3, 4)] == ["active", "ended", "active", "pending"]
            assert api.rule_ids() == [1, 3]


def test_an_unreachable_database_only_delays_a_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that is due while the database is unavailable is made afterwards."""
    path, away = tmp_path / "a.db", tmp_path / "away.db"
    attempts: list[tuple[Any, ...]] = []

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store, following(store):
            await store.write(partial(context_features.expect, expected=["f"]))
            await store.write(declaration("cache_ttl", {"f"}, 0))
            rule_id = await store.write(writing_rule(1, datetime(2001, 1, 1, tzinfo=UTC)))
            path.rename(away)
            await until_async(lambda: not store.available)
            write = store.write

            def counted(*args: Any) -> Any:
                attempts.append(args)
                return write(*args)

            monkeypatch.setattr(store, "write", counted)
            stopping = asyncio.Event()
            task = asyncio.create_task(switch_rules(store, until=stopping))
            await until_async(lambda: len(attempts) > 1)
            assert not store.catalog.rules[rule_id].served
            away.rename(path)
            await until_async(lambda: store.catalog.rules[rule_id].served)
            stopping.set()
            await task

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"starts_at": LONG_AGO}, "active"),
        ({"ends_at": FAR_AHEAD}, "active"),
        ({"starts_at": LONG_AGO, "ends_at": FAR_AHEAD}, "active"),
        ({"starts_at": FAR_AHEAD}, "pending"),
        ({"starts_at": "2100-01-01T02:00:00+02:00", "ends_at": None}, "pending"),
    ],
)
def test_the_times_of_a_rule_are_shown(api: Api, fields: dict[str, Any], expected: str) -> None:
    """A rule with a time shows both times in UTC, and its phase. Only active rules are served."""
    api.declare()
    rule_id = add(api, **fields)
    shown = api.get(f"rules/{rule_id}").json()
    starts_at = FAR_AHEAD if expected == "pending" else fields.get("starts_at")
    assert (shown["starts_at"], shown["ends_at"]) == (starts_at, fields.get("ends_at"))
    assert shown["phase"] == expected
    assert api.rule_ids() == ([rule_id] if expected == "active" else [])


def test_a_rule_without_times(api: Api) -> None:
    """A rule without times has the fields of v1 only, also after its times were removed."""
    api.declare()
    plain, timed = add(api, user="a", starts_at=None), add(api, user="b", starts_at=FAR_AHEAD)
    assert api.call("PUT", f"rules/{timed}/schedule", {}).status_code == 204
    for rule_id in (plain, timed):
        assert api.get(f"rules/{rule_id}").json().keys() == {"setting", "value", "feature_values", "metadata"}
    assert api.rule_ids() == [plain, timed]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"starts_at": "tomorrow"}, 422),
        ({"starts_at": 5}, 422),
        ({"ends_at": "9999-12-31T23:59:59-23:59"}, 422),
        ({"starts_at": FAR_AHEAD, "ends_at": LONG_AGO}, 422),
        ({"starts_at": FAR_AHEAD, "ends_at": FAR_AHEAD}, 422),
        ({"ends_at": LONG_AGO}, 400),
    ],
)
def test_invalid_times_are_refused(api: Api, fields: dict[str, Any], status: int) -> None:
    """A malformed time, an end that is not after the start, and an end in the past are refused, and nothing changes."""
    api.declare()
    rule_id = add(api, user="b")
    before = api.state()
    body = {"setting": "cache_ttl", "feature_values": {"user": "a"}, "value": 1, **fields}
    assert api.call("POST", "rules", body).status_code == status
    assert api.call("PUT", f"rules/{rule_id}/schedule", fields).status_code == status
    assert api.state() == before
    assert api.call("PUT", "rules/0/schedule", {}).status_code == 404


def test_a_rule_keeps_its_conditions_while_it_is_not_served(api: Api) -> None:
    """Another rule with the same conditions is refused at any time, until the rule is deleted or changed."""
    api.declare()
    rule_id = add(api, starts_at=FAR_AHEAD)
    body = {"setting": "cache_ttl", "feature_values": {"user": "a"}, "value": 2, "ends_at": "2099-01-01"}
    response = api.call("POST", "rules", body)
    assert (response.status_code, str(rule_id) in response.text) == (409, True)
    assert api.get("rules/search", setting="cache_ttl", feature_values="user:a").json() == {"rule_id": rule_id}


def test_a_switch_is_not_undone(api: Api) -> None:
    """A switch cannot be reverted, because it would be made again. A change of the times can."""
    api.declare()
    rule_id = add(api, starts_at=FAR_AHEAD)
    change_soon(api, rule_id, "starts_at")
    until(lambda: phase(api, rule_id) == "active")
    response = api.call("POST", f"history/{api.revision()}/revert")
    assert (response.status_code, "nothing is left" in response.text) == (409, True)
    api.call("PUT", f"rules/{rule_id}/schedule", {"starts_at": FAR_AHEAD})
    assert api.rule_ids() == []
    assert api.call("POST", f"history/{api.revision()}/revert").status_code == 200
    assert api.rule_ids() == [rule_id]


TIMES = st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as hypothesis wants it


@given(st.none() | TIMES, st.none() | TIMES, st.lists(TIMES, min_size=1))
def test_phases_only_go_forward(starts_at: datetime | None, ends_at: datetime | None, clock: list[datetime]) -> None:
    """Phases never go back, whatever the clocks of several services show."""
    schedule = Schedule(starts_at, ends_at)
    phases = [schedule := schedule.at(now) for now in clock]
    order = list(Phase)
    indexes = [order.index(schedule.phase) for schedule in phases]
    assert indexes == sorted(indexes)
    assert schedule == Schedule(starts_at, ends_at).at(max(clock))


def written(catalog: Catalog, write: Callable[[Catalog], Decision[Any]]) -> Catalog:
    changes = write(catalog).changes
    return catalog.after(changes, catalog.counters_after(changes)) if changes else catalog


@given(st.lists(st.tuples(st.none() | TIMES, st.none() | TIMES), min_size=1, max_size=5), TIMES)
def test_a_switch_leaves_nothing_due(times: list[tuple[datetime | None, datetime | None]], now: datetime) -> None:
    """After a switch, each rule is in its phase, the next switch is later, and a second one changes nothing."""
    catalog = written(Catalog(Counters("")), partial(context_features.expect, expected=["f"]))
    catalog = written(catalog, declaration("a", {"f"}, 0))
    add_rule = partial(rules.add, setting_name="a", value=1, metadata={})
    for number, (starts_at, ends_at) in enumerate(times):
        schedule = schedule_of(starts_at, ends_at, datetime.min.replace(tzinfo=UTC))
        catalog = written(catalog, partial(add_rule, feature_values={"f": str(number)}, schedule=schedule))
    catalog = written(catalog, partial(rules.switch, now=now))
    expected = [schedule_of(starts_at, ends_at, now) for starts_at, ends_at in times]
    assert [rule.schedule for rule in catalog.rules.values()] == expected
    served = [rule.id for rule in catalog.rules.values() if not rule.schedule or rule.schedule.phase is Phase.ACTIVE]
    assert list(catalog.entry("a").served) == served
    assert not rules.switch(catalog, now).changes
    due = rules.next_switch(catalog)
    assert due is None or due > now
