"""Reverting a change, as a new change."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heksherlite.service.domain import context_features, rules
from heksherlite.service.domain import settings as setting_writes
from heksherlite.service.domain.reverting import revert
from heksherlite.service.errors import RequestError
from heksherlite.service.storage.store import Store
from tests.service.api import Api
from tests.service.stores import opened, without_logs
from tests.service.test_store import check_invariants, declaration
from tests.service.writes import WRITES, Write, begin


def undo(api: Api, revision: int, status: int = 200) -> Any:
    response = api.call("POST", f"history/{revision}/revert")
    assert response.status_code == status, response.text
    return response.json()


def conflicts(api: Api, revision: int) -> list[str]:
    before = api.state()
    texts: list[str] = undo(api, revision, 409)["conflicts"]
    assert api.state() == before
    return texts


@pytest.mark.thorough
@given(st.lists(WRITES, min_size=1, max_size=8))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_change_can_always_be_undone(shared_api: Api, writes: list[Write]) -> None:
    """Reverting the last change restores the previous state, and reverting again restores the change."""
    begin(shared_api)
    for write in writes:
        before, known = shared_api.revision(), shared_api.state()
        write(shared_api)
        if shared_api.revision() > before:
            written = shared_api.state()
            assert undo(shared_api, before + 1) == {"revision": before + 2}
            assert shared_api.state() == known
            undo(shared_api, before + 2)
            assert shared_api.state() == written


def test_an_undone_change_is_a_change(api: Api) -> None:
    """A reversion has its own record with a reason, and names the reverted revision."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    added = api.revision()
    api.call("POST", f"history/{added}/revert", {"reason": "a mistake"})
    (record,) = api.history(limit=1)
    assert (record["revision"], record["reverts"], record["reason"]) == (added + 1, added, "a mistake")
    assert record["changes"][0]["rule_id"] == rule_id
    assert record["changes"][0]["after"] is None


def test_other_changes_since_stay(api: Api) -> None:
    """Only what the change touched is restored. Later changes elsewhere stay."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    changed = api.revision()
    api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": 1})
    other = api.add_rule(1, user="b")
    undo(api, changed)
    rule = api.get(f"rules/{rule_id}").json()
    assert (rule["value"], rule["metadata"]) == (1, {"k": 1})
    assert api.rule_ids() == [rule_id, other]


def test_a_deleted_setting_comes_back_whole(api: Api) -> None:
    """A deleted setting is restored with its rules, their ids, and all names."""
    api.declare("a")
    first, second = api.add_rule(1, setting="a", user="x"), api.add_rule(2, setting="a", user="y")
    api.call("PUT", "settings/a/name", {"name": "b", "version": "1.0"})
    before = api.state()
    api.call("DELETE", "settings/b")
    api.declare("other")
    third = api.add_rule(3, setting="other", user="x")
    undo(api, api.revision() - 2)
    assert api.rule_ids("b") == [first, second]
    api.call("DELETE", "settings/other")
    assert api.state() == before
    assert api.add_rule(4, setting="a", user="z") == third + 1


def test_a_rule_that_comes_back_keeps_its_place(api: Api) -> None:
    """A restored rule is ordered by its id, and can be deleted again."""
    api.declare()
    first, second = api.add_rule(1, user="a"), api.add_rule(2, user="b")
    for _ in range(2):
        api.call("DELETE", f"rules/{first}")
        undo(api, api.revision())
        assert api.rule_ids() == [first, second]


Scene = Callable[[Api], int]


def value_changed_again(api: Api) -> int:
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    revision = api.revision()
    api.call("PUT", f"rules/{rule_id}/value", {"value": 3})
    return revision


def added_rule_changed(api: Api) -> int:
    rule_id = api.add_rule(1, user="a")
    revision = api.revision()
    api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": 3})
    return revision


def rule_deleted(api: Api) -> int:
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    revision = api.revision()
    api.call("DELETE", f"rules/{rule_id}")
    return revision


def setting_of_rule_deleted(api: Api) -> int:
    api.call("DELETE", f"rules/{api.add_rule(1, user='a')}")
    revision = api.revision()
    api.call("DELETE", "settings/cache_ttl")
    return revision


def conditions_taken(api: Api) -> int:
    api.call("DELETE", f"rules/{api.add_rule(1, user='a')}")
    revision = api.revision()
    api.add_rule(2, user="a")
    return revision


def value_does_not_fit_any_more(api: Api) -> int:
    api.call("PUT", "settings/cache_ttl/type", {"type": "float", "version": "2.0"})
    rule_id = api.add_rule(1.5, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 1})
    revision = api.revision()
    api.call("PUT", "settings/cache_ttl/type", {"type": "int", "version": "3.0"})
    return revision


def feature_not_configurable_any_more(api: Api) -> int:
    api.call("DELETE", f"rules/{api.add_rule(1, environment='dev')}")
    revision = api.revision()
    body = {"configurable_features": ["user"], "version": "1.1"}
    api.call("PUT", "settings/cache_ttl/configurable_features", body)
    return revision


def setting_deleted(api: Api) -> int:
    api.declare(default_value=61, version="1.1")
    revision = api.revision()
    api.call("DELETE", "settings/cache_ttl")
    return revision


def setting_upgraded_again(api: Api) -> int:
    api.declare(default_value=61, version="1.1")
    revision = api.revision()
    api.declare(default_value=62, version="1.2")
    return revision


def setting_has_rules(api: Api) -> int:
    revision = api.revision()
    api.add_rule(1, user="a")
    return revision


def name_taken(api: Api) -> int:
    api.call("DELETE", "settings/cache_ttl")
    revision = api.revision()
    api.declare()
    return revision


def feature_of_setting_deleted(api: Api) -> int:
    api.declare("other", configurable_features=["theme"])
    api.call("DELETE", "settings/other")
    revision = api.revision()
    api.call("DELETE", "context_features/theme")
    return revision


def added_feature_in_use(api: Api) -> int:
    api.call("POST", "context_features", {"context_feature": "extra"})
    revision = api.revision()
    api.declare("other", configurable_features=["extra"])
    return revision


def features_changed_again(api: Api) -> int:
    api.call("POST", "context_features", {"context_feature": "extra"})
    revision = api.revision()
    api.call("DELETE", "context_features/theme")
    return revision


def restored_already(api: Api) -> int:
    api.call("DELETE", "settings/cache_ttl")
    revision = api.revision()
    undo(api, revision)
    return revision


def undone_already(api: Api) -> int:
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    undo(api, api.revision())
    return api.revision() - 1


def narrowed_since(api: Api) -> int:
    body = {"configurable_features": ["user", "environment", "theme"], "version": "2.0"}
    api.call("PUT", "settings/cache_ttl/configurable_features", body)
    revision = api.revision()
    api.add_rule(1, theme="dark")
    return revision


def retyped_since(api: Api) -> int:
    api.call("PUT", "settings/cache_ttl/type", {"type": "float", "version": "2.0"})
    revision = api.revision()
    api.add_rule(1.5, user="a")
    return revision


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (value_changed_again, "its value is 3, not 2"),
        (added_rule_changed, "its metadata is {'k': 3}, not {}"),
        (rule_deleted, "was removed since"),
        (setting_of_rule_deleted, "was removed since"),
        (conditions_taken, "has the conditions of rule"),
        (value_does_not_fit_any_more, "does not fit setting 'cache_ttl' of type int"),
        (feature_not_configurable_any_more, "setting 'cache_ttl' is not configurable by ['environment']"),
        (setting_deleted, "setting 'cache_ttl' was removed since"),
        (setting_upgraded_again, "its default_value is 62, not 61"),
        (setting_has_rules, "setting 'cache_ttl' has got rules since: ["),
        (name_taken, "the name 'cache_ttl' now belongs to setting 'cache_ttl'"),
        (feature_of_setting_deleted, "context features ['theme'] of setting 'other' do not exist any more"),
        (added_feature_in_use, "context features ['extra'] are in use by setting 'other'"),
        (features_changed_again, "the context features were changed since"),
        (restored_already, "setting 'cache_ttl' exists again"),
        (undone_already, "nothing is left of this change"),
        (narrowed_since, "setting 'cache_ttl' is not configurable by ['theme']"),
        (retyped_since, "does not fit setting 'cache_ttl' of type int"),
    ],
)
def test_what_cannot_be_undone_says_why(api: Api, scene: Scene, reason: str) -> None:
    """A change that cannot be reverted is 409 with each reason."""
    api.declare()
    texts = conflicts(api, scene(api))
    assert any(reason in text for text in texts), texts


async def reverting(store: Store, steps: int) -> None:
    record = await store.history.record(max(1, store.catalog.counters.revision - steps))
    await store.write(partial(revert, record=record, now=datetime.now(UTC)))


NAMES, FEATURES = st.sampled_from(["a", "b"]), st.sampled_from(["f", "g"])
WRITES_IN_STORE: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 6),
    st.integers(0, 1),
    st.builds(declaration, NAMES, st.sets(FEATURES, min_size=1), st.integers(0, 2), st.none() | NAMES),
    st.builds(lambda name: partial(setting_writes.remove, name=name), NAMES),
    st.builds(
        lambda name, value: partial(
            rules.add, setting_name=name, feature_values={"f": str(value)}, value=value, metadata={}
        ),
        NAMES,
        st.integers(0, 2),
    ),
    st.builds(lambda rule_id: partial(rules.remove, rule_id=rule_id), st.integers(1, 4)),
    st.builds(lambda rule_id: partial(rules.change_value, rule_id=rule_id, value=9), st.integers(1, 4)),
)


@pytest.mark.thorough
@given(st.lists(st.tuples(st.booleans(), WRITES_IN_STORE), max_size=25))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_replicas_agree_on_what_comes_back(new_database: Callable[[], str], writes: list[tuple[bool, Any]]) -> None:
    """After rules were removed and restored through two services, all services agree."""

    async def run() -> None:
        database = new_database()
        async with opened(database) as one, opened(database) as two:
            await one.write(partial(context_features.expect, expected=["f", "g"]))
            await one.write(declaration("a", {"f", "g"}, 0))
            for first, write in writes:
                writer = one if first else two
                try:
                    await (reverting(writer, write) if isinstance(write, int) else writer.write(write))
                except RequestError:
                    continue
                check_invariants(writer.catalog)
            await one.load()
            await two.load()
            async with opened(database) as three:
                known = [without_logs(store.catalog) for store in (one, two, three)]
                assert known[0] == known[1] == known[2]

    asyncio.run(run())
