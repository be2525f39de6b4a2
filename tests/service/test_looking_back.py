"""``query?at=``: what the service returned at an earlier time."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heksherlite.service import embedded
from heksherlite.service.domain import context_features
from heksherlite.service.errors import NotFoundError
from heksherlite.service.storage import history
from tests.service.api import FEATURES, Api
from tests.service.stores import opened
from tests.service.writes import WRITES, Write, begin

LINES = {"accept": "application/x-ndjson"}


def responses(api: Api, **params: Any) -> tuple[bytes, ...]:
    whole = api.get("query", include_metadata=True, **params)
    filtered = api.get("query", context_filters="user:*,theme:(x)", **params)
    in_lines = api.call("GET", "query", params=params, headers=LINES)
    named = api.get("query", settings="a", **params)
    return whole.content, filtered.content, in_lines.content, named.content


@pytest.mark.thorough
@given(st.lists(WRITES, min_size=3, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_query_as_of_a_revision_returns_what_it_returned_then(shared_api: Api, writes: list[Write]) -> None:
    """The response as of a revision has the same bytes as the response at that time."""
    begin(shared_api)
    given_then = {shared_api.revision(): responses(shared_api)}
    for write in writes:
        write(shared_api)
        given_then[shared_api.revision()] = responses(shared_api)
    assert {revision: responses(shared_api, at=revision) for revision in given_then} == given_then


def test_a_query_as_of_a_time_returns_what_it_returned_then(api: Api) -> None:
    """The response as of the time of a write includes the write."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    api.call("DELETE", f"rules/{rule_id}")
    deleted, added = api.history(limit=2)
    assert api.rule_ids(at=added["time"]) == [rule_id]
    assert api.rule_ids(at=deleted["time"]) == []
    a_moment_before = datetime.fromisoformat(deleted["time"]) - timedelta(microseconds=1)
    assert api.rule_ids(at=a_moment_before.isoformat()) == [rule_id]
    assert api.rule_ids(at=datetime.now(UTC).isoformat()) == []
    elsewhere = a_moment_before.astimezone(tz=None).isoformat()
    assert api.rule_ids(at=elsewhere) == [rule_id]
    without_offset = a_moment_before.replace(tzinfo=None).isoformat()
    assert api.rule_ids(at=without_offset) == [rule_id]
    assert api.query(at="2001-01-01") == {}


def test_settings_have_the_names_that_they_had(api: Api) -> None:
    """A setting is found and shown by the name that it had at that time."""
    api.declare("a")
    then = api.revision()
    api.call("PUT", "settings/a/name", {"name": "b", "version": "1.0"})
    assert list(api.query(at=then)) == ["a"]
    assert list(api.query(at=then, settings="a")) == ["a"]
    assert api.get("query", at=then, settings="b").status_code == 404
    assert list(api.query(at=then + 1, settings="a")) == ["b"]


def test_conditions_are_in_the_order_that_was(api: Api) -> None:
    """The order of the context features is that of the revision."""
    api.declare()
    api.add_rule(1, user="a", environment="dev")
    then = api.revision()
    api.call("PATCH", "context_features/environment/index", {"to_after": "user"})
    (rule,) = api.query(at=then)["cache_ttl"]["rules"]
    assert rule["context_features"] == [["environment", "dev"], ["user", "a"]]
    lines = api.call("GET", "query", params={"at": then}, headers=LINES)
    assert (
        lines.json if not lines.is_success else b'{"context_features":["environment","user","theme"]}' in lines.content
    )


def test_a_response_as_of_a_revision_may_be_kept(api: Api) -> None:
    """The response as of a named revision is immutable, and its tag stays valid after later writes."""
    api.declare()
    then, _, _ = api.get("query").headers["etag"].strip('"').rpartition("-")
    first = api.get("query", settings="cache_ttl", at=then)
    assert first.headers["cache-control"] == "private, max-age=86400, immutable"
    api.add_rule(1, user="a")
    again = api.call(
        "GET", "query", params={"settings": "cache_ttl", "at": then}, headers={"if-none-match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert "no-cache" in api.get("query").headers["cache-control"]
    assert "no-cache" in api.get("query", at=api.revision()).headers["cache-control"]
    assert "no-cache" in api.get("query", at=datetime.now(UTC).isoformat()).headers["cache-control"]


def test_changes_are_not_told_between_past_responses(api: Api) -> None:
    """Responses as of a revision are never partial."""
    api.declare()
    api.add_rule(1, user="a")
    api.add_rule(1, user="b")
    params = {"settings": "cache_ttl", "at": api.revision() - 1}
    tag = api.call("GET", "query", params=params, headers=LINES).headers["etag"]
    older = '"1-' + tag.partition("-")[2]
    response = api.call("GET", "query", params=params, headers={**LINES, "a-im": "heksherlite", "if-none-match": older})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("at", "status", "message"),
    [
        (2**40, 404, "no revision 1099511627776 yet"),
        ("2100-01-01", 400, "in the future"),
        ("", 422, "2030-01-31T12:00:00Z"),
        ("yesterday", 422, "'yesterday'"),
        (-1, 422, "'-1'"),
        ("0001-01-01T00:00:00+10:00", 422, "0001"),
    ],
)
def test_an_invalid_moment_is_refused(api: Api, at: Any, status: int, message: str) -> None:
    """A future or malformed revision or time is refused with the reason."""
    response = api.get("query", at=at)
    assert (response.status_code, message in response.text) == (status, True), response.text


def test_a_replica_looks_back_to_what_it_did_not_know_yet(tmp_path: Path) -> None:
    """A new revision of another service is known to every service on the database."""
    with embedded(tmp_path / "a.db", context_features=FEATURES) as one, embedded(tmp_path / "a.db") as two:
        first, second = Api(one.url), Api(two.url)
        with first.http, second.http:
            for number in range(10):
                first.declare(f"s{number}")
                assert f"s{number}" in second.query(at=first.revision())


def without_history(path: Path, keep: int) -> None:
    """Delete the earliest history, as in a database of an earlier version."""
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM history_changes WHERE revision < ?", [keep])
        connection.execute("DELETE FROM history WHERE revision < ?", [keep])
    connection.close()


def test_what_the_history_does_not_reach_is_404(tmp_path: Path) -> None:
    """Before the earliest known revision, the response is 404 with that revision."""
    with embedded(tmp_path / "a.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare()
            rule_id = api.add_rule(1, user="a")
            api.call("DELETE", f"rules/{rule_id}")
            time = api.history(limit=1)[0]["time"]
            without_history(tmp_path / "a.db", 4)
            assert api.rule_ids(at=3) == [rule_id]
            early = api.get("query", at=2)
            assert (early.status_code, "begins at 3" in early.text) == (404, True)
            early = api.get("query", at="2001-01-01")
            assert (early.status_code, time in early.text) == (404, True)
            without_history(tmp_path / "a.db", 5)
            assert api.rule_ids(at=4) == []
            assert "the history is empty" in api.get("query", at=time).text


def test_pruning_keeps_what_is_needed_to_look_back(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After pruning, states within the kept time are known, and earlier ones are not."""
    monkeypatch.setattr(history, "_ROWS_AT_ONCE", 2)
    names = tuple(f"f{number}" for number in range(8))

    async def run() -> None:
        async with opened(database) as store:
            times = []
            for name in names:
                await store.write(partial(context_features.add, name=name))
                times.append(store.catalog.counters.changed_at or datetime.now(UTC))
            await store.history.prune(times[6])
            assert (await store.at(times[6])).context_features == names[:7]
            assert (await store.at(5)).context_features == names[:5]
            with pytest.raises(NotFoundError, match="begins at 5"):
                await store.at(4)
            await store.history.prune(datetime.now(UTC))
            assert (await store.at(datetime.now(UTC))).context_features == names
            assert (await store.at(7)).context_features == names[:7]

    asyncio.run(run())
