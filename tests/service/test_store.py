import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from heksherlite.errors import ServiceStartError
from heksherlite.service.domain import context_features, declarations, rules
from heksherlite.service.domain import settings as setting_writes
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.errors import DomainError
from heksherlite.service.domain.metadata import merging
from heksherlite.service.domain.versions import Version
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import DatabaseUnavailableError
from heksherlite.service.storage.schema import VERSION_TABLE
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from heksherlite.wire_types import INT

Write = Callable[[Catalog], Decision[Any]]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    database = SqliteDatabase(path)
    store = Store(database, news_interval=0.01, check_interval=0.05)
    try:
        await database.prepare()
        await store.load()
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def following(store: Store) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(store.follow(until=stopping))
    yield
    stopping.set()
    await task


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the code under test has no event to wait for
            await asyncio.sleep(0.005)


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
        assert setting.revision <= catalog.state.revision


@given(st.lists(st.tuples(st.booleans(), WRITES), max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_memory_follows_the_database(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[bool, Write]]
) -> None:
    """Whatever is written by two processes in turn, both and a third that starts later know the same."""

    async def run() -> None:
        path = tmp_path_factory.mktemp("store") / "a.db"
        async with opened(path) as one, opened(path) as two:
            await one.write(partial(context_features.expect, expected=["f", "g"]))
            for first, write in writes:
                writer = one if first else two
                before = writer.catalog
                try:
                    await writer.write(write)
                except DomainError:
                    assert writer.catalog.state.revision >= before.state.revision
                check_invariants(writer.catalog)
            await one.load()
            await two.load()
            async with opened(path) as three:
                assert one.catalog == two.catalog == three.catalog

    asyncio.run(run())


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    """Many writers through two stores: each write counts once, ids and revisions are distinct."""

    async def run() -> None:
        async with opened(tmp_path / "a.db") as one, opened(tmp_path / "a.db") as two:
            await one.write(partial(context_features.expect, expected=["f"]))
            await one.write(declaration("a", {"f"}, 0))

            def add(value: int) -> Write:
                return partial(rules.add, setting_name="a", feature_values={"f": str(value)}, value=value, metadata={})

            stores = (one, two)
            ids = await asyncio.gather(*(stores[value % 2].write(add(value)) for value in range(60)))
            assert sorted(ids) == list(range(1, 61))
            await one.load()
            assert {rule.value for rule in one.catalog.rules.values()} == set(range(60))
            assert one.catalog.state.revision == 62

    asyncio.run(run())


def test_foreign_writes_are_noticed(tmp_path: Path) -> None:
    """A store that follows its database learns what another process wrote."""

    async def run() -> None:
        async with opened(tmp_path / "a.db") as one, opened(tmp_path / "a.db") as two, following(two):
            await one.write(partial(context_features.expect, expected=["f", "g"]))
            await until(lambda: two.catalog.context_features == ("f", "g"))
            await one.write(partial(context_features.remove, name="f"))
            await until(lambda: two.catalog.context_features == ("g",))

    asyncio.run(run())


def test_a_failed_decision_changes_nothing(tmp_path: Path) -> None:
    """What a decision raises comes out, and neither the database nor the catalog moves."""

    async def run() -> None:
        async with opened(tmp_path / "a.db") as store:
            before = store.catalog
            with pytest.raises(DomainError):
                await store.write(partial(context_features.remove, name="nope"))
            with pytest.raises(ZeroDivisionError):
                await store.write(lambda catalog: Decision(len(catalog.rules) // 0))
            await store.load()
            assert store.catalog is before

    asyncio.run(run())


def test_an_unreachable_database_is_noticed_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the file is gone, reads go on, writes are refused, and one warning says so; then it recovers."""
    path, away = tmp_path / "a.db", tmp_path / "away.db"
    caplog.set_level(logging.INFO, "heksherlite.service")

    async def run() -> None:
        async with opened(path) as store:
            await store.write(partial(context_features.expect, expected=["f"]))
            async with following(store):
                path.rename(away)
                await until(lambda: not store.available)
                assert store.catalog.context_features == ("f",)
                with pytest.raises(DatabaseUnavailableError):
                    await store.write(partial(context_features.add, name="g"))
                away.rename(path)
                await until(lambda: store.available)
                await store.write(partial(context_features.add, name="g"))
                assert list(store.catalog.context_features) == ["f", "g"]

    asyncio.run(run())
    assert [record.message for record in caplog.records] == [
        "the database cannot be reached",
        "the database can be reached again",
    ]


def prepare(path: Path) -> None:
    async def run() -> None:
        async with opened(path):
            pass

    asyncio.run(run())


def test_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    """The schema after all migrations is the one in the code."""
    prepare(tmp_path / "a.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_file_is_used_as_promised(tmp_path: Path) -> None:
    """WAL for the file; foreign keys, and writes that survive a loss of power, for each connection."""

    async def run() -> None:
        async with opened(tmp_path / "a.db"):
            database = SqliteDatabase(tmp_path / "a.db")
            async with database.reading() as connection:
                pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
                values = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in pragmas]
            await database.close()
            assert values == ["wal", 1, 2, 10_000]

    asyncio.run(run())


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A schema that this version does not know is left alone."""
    prepare(tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    with connection:
        connection.execute("UPDATE heksherlite_schema SET version_num = '9999'")
    connection.close()
    with pytest.raises(ServiceStartError, match="newer version"):
        prepare(tmp_path / "a.db")


@pytest.mark.parametrize("kind", ["other tables", "garbage", "folder"])
def test_files_that_are_not_ours_are_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    """Another program's database, or no database at all, is refused and keeps its contents."""
    path = tmp_path / "a.db"
    if kind == "other tables":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE settings (x)")
        connection.close()
    elif kind == "garbage":
        path.write_bytes(b"not a database" * 1000)
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ServiceStartError, match="cannot use database"):
        prepare(path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_interrupted_first_start_is_finished_by_the_next(tmp_path: Path) -> None:
    """An empty file, as a killed first start leaves it, is taken as new."""
    (tmp_path / "a.db").touch()
    prepare(tmp_path / "a.db")


def test_several_first_starts_agree(tmp_path: Path) -> None:
    """Services that create the schema of one file at the same time all start, with one database id."""

    async def run() -> None:
        async def start() -> str:
            async with opened(tmp_path / "a.db") as store:
                return store.catalog.state.database_id

        starts: list[Awaitable[str]] = [start() for _ in range(5)]
        assert len(set(await asyncio.gather(*starts))) == 1

    asyncio.run(run())
