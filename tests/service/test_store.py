"""The store: the catalog in memory, and the database that several stores share."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain import context_features, declarations, rules
from heksherlite.service.domain import settings as setting_writes
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.metadata import merging
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import RequestError
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from heksherlite.values.wire_types import INT
from tests.service.stores import Write, following, opened, run_sql, without_logs
from tests.waiting import until_async


def declaration(name: str, features: set[str], minor: int, alias: str | None = None) -> Write:
    shape = Shape(name, frozenset(features), INT, minor, {"minor": minor})
    return partial(declarations.declare, declaration=declarations.Declaration(shape, Version(1, minor), alias))


FEATURES = st.sampled_from(["f", "g", "h"])
NAMES = st.sampled_from(["a", "b", "c"])
IDS = st.integers(1, 8)
MINORS = st.integers(0, 3)
WRITES: st.SearchStrategy[Write] = st.one_of(
    st.builds(lambda name: partial(context_features.add, name=name), FEATURES),
    st.builds(lambda name: partial(context_features.remove, name=name), FEATURES),
    st.builds(lambda name, other: partial(context_features.move, name=name, after=other), FEATURES, FEATURES),
    st.builds(declaration, NAMES, st.sets(FEATURES, min_size=1), MINORS, st.none() | NAMES),
    st.builds(lambda name: partial(setting_writes.remove, name=name), NAMES),
    st.builds(
        lambda name, new, minor: partial(setting_writes.rename, name=name, new_name=new, version=Version(1, minor)),
        NAMES,
        NAMES,
        MINORS,
    ),
    st.builds(
        lambda name, values, value: partial(
            rules.add, setting_name=name, feature_values=values, value=value, metadata={}
        ),
        NAMES,
        st.dictionaries(FEATURES, st.sampled_from(["x", "y"]), min_size=1),
        st.integers(0, 3),
    ),
    st.builds(lambda rule_id, value: partial(rules.change_value, rule_id=rule_id, value=value), IDS, MINORS),
    st.builds(lambda rule_id: partial(rules.edit_metadata, rule_id=rule_id, edit=merging({"k": 1})), IDS),
    st.builds(lambda rule_id: partial(rules.remove, rule_id=rule_id), IDS),
)


def check_invariants(catalog: Catalog) -> None:
    assert sorted(catalog.rules) == sorted(id_ for entry in catalog.entries.values() for id_ in entry.rules)
    names = [name for entry in catalog.entries.values() for name in (entry.setting.name, *entry.setting.aliases)]
    assert sorted(names) == sorted(catalog.ids_by_name)
    for entry in catalog.entries.values():
        setting = entry.setting
        assert setting.configurable_features <= set(catalog.context_features)
        assert list(entry.rules) == sorted(entry.rules)
        assert entry.ids_by_conditions == {rule.conditions: rule.id for rule in entry.rules.values()}
        for rule in entry.rules.values():
            assert {feature for feature, _ in rule.conditions} <= setting.configurable_features
            assert setting.type.accepts(rule.value)
        assert setting.revision <= catalog.counters.revision


@pytest.mark.thorough
@given(st.lists(st.tuples(st.booleans(), WRITES), max_size=25))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_memory_follows_the_database(new_database: Callable[[], str], writes: list[tuple[bool, Write]]) -> None:
    """After any writes by two stores, both have the same catalog as a store that starts later."""

    async def run() -> None:
        database = new_database()
        async with opened(database) as one, opened(database) as two:
            await one.write(partial(context_features.expect, expected=["f", "g"]))
            for first, write in writes:
                writer = one if first else two
                before = writer.catalog
                try:
                    await writer.write(write)
                except RequestError:
                    assert writer.catalog.counters.revision >= before.counters.revision
                check_invariants(writer.catalog)
            await one.load()
            await two.load()
            async with opened(database) as three:
                known = [without_logs(store.catalog) for store in (one, two, three)]
                assert known[0] == known[1] == known[2]

    asyncio.run(run())


def test_concurrent_writers_lose_nothing(database: str) -> None:
    """Concurrent writes through two stores are all stored, with distinct ids and revisions."""

    async def run() -> None:
        async with opened(database) as one, opened(database) as two:
            await one.write(partial(context_features.expect, expected=["f"]))
            await one.write(declaration("a", {"f"}, 0))

            def add(value: int) -> Write:
                return partial(rules.add, setting_name="a", feature_values={"f": str(value)}, value=value, metadata={})

            stores = (one, two)
            ids = await asyncio.gather(*(stores[value % 2].write(add(value)) for value in range(60)))
            assert sorted(ids) == list(range(1, 61))
            await one.load()
            assert {rule.value for rule in one.catalog.rules.values()} == set(range(60))
            assert one.catalog.counters.revision == 62

    asyncio.run(run())


def test_foreign_writes_are_noticed(database: str) -> None:
    """A store that follows its database reads the writes of other processes."""

    async def run() -> None:
        async with opened(database) as one, opened(database) as two, following(two):
            await one.write(partial(context_features.expect, expected=["f", "g"]))
            await until_async(lambda: two.catalog.context_features == ("f", "g"))
            await one.write(partial(context_features.remove, name="f"))
            await until_async(lambda: two.catalog.context_features == ("g",))

    asyncio.run(run())


def test_concurrent_readers_share_a_read(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent readers cause one or two reads of the database, and all get its state."""
    monkeypatch.setattr("heksherlite.service.storage.store._CATCH_UP_SECONDS", 60.0)
    looks: list[None] = []

    async def run() -> None:
        async with opened(database) as one:
            two = open_database(database)
            reading = two.reading

            def counted() -> AbstractAsyncContextManager[AsyncConnection]:
                looks.append(None)
                return reading()

            monkeypatch.setattr(two, "reading", counted)
            store = Store(two)
            for number in range(3):
                await one.write(partial(context_features.add, name=f"f{number}"))
                await asyncio.gather(*(store.catch_up() for _ in range(50)))
                assert store.catalog.context_features[-1] == f"f{number}"
            await store.close()

    asyncio.run(run())
    assert len(looks) <= 6


def test_a_failed_decision_changes_nothing(database: str) -> None:
    """The error of a decision is raised, and neither database nor catalog changes."""

    async def run() -> None:
        async with opened(database) as store:
            before = store.catalog
            with pytest.raises(RequestError):
                await store.write(partial(context_features.remove, name="nope"))
            with pytest.raises(ZeroDivisionError):
                await store.write(lambda catalog: Decision(len(catalog.rules) // 0))
            await store.load()
            assert store.catalog is before

    asyncio.run(run())


def test_several_first_starts_agree(database: str) -> None:
    """Services that create the schema at the same time all start with one database id."""

    async def run() -> None:
        async def start() -> str:
            async with opened(database) as store:
                return store.catalog.counters.database_id

        starts: list[Awaitable[str]] = [start() for _ in range(5)]
        assert len(set(await asyncio.gather(*starts))) == 1

    asyncio.run(run())


def test_removals_are_not_kept_for_ever(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old removals are deleted. A replica that was away for longer reads everything."""
    monkeypatch.setattr("heksherlite.service.storage.rows.MOST_REVISIONS", 5)

    async def run() -> None:
        async with opened(database) as store, opened(database) as away:
            await store.write(partial(context_features.add, name="f"))
            await store.write(declaration("a", {"f"}, 0))
            add = partial(rules.add, setting_name="a", feature_values={"f": "x"}, value=1, metadata={})
            first = await store.write(add)
            await away.load()
            await store.write(partial(rules.remove, rule_id=first))
            for _ in range(6):
                rule_id = await store.write(add)
                await store.write(partial(rules.remove, rule_id=rule_id))
            await away.load()
            assert away.catalog.rules == {}
            assert without_logs(away.catalog) == without_logs(store.catalog)

    asyncio.run(run())
    assert len(run_sql(database, "SELECT * FROM removals")) < 5
    assert len(run_sql(database, "SELECT * FROM revisions")) == 5
