"""Statements that are sent to PostgreSQL together, and to SQLite without SQLAlchemy."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import bindparam, insert, select, update

from heksherlite.service.domain import context_features, rules
from heksherlite.service.storage import batches, tables
from heksherlite.service.storage.batches import MOST_ROWS
from heksherlite.service.storage.bulk import insert_many
from heksherlite.service.storage.postgresql import PostgresqlDatabase
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from tests.service.postgresql import PostgresqlServer
from tests.service.stores import opened, run_sql
from tests.service.test_store import declaration

FEATURES = tables.context_features
INSERT = insert(FEATURES)
STRANGE = ("'", '"', "\\", "%", "%s", "%(name)s", ";", "--", "$1", ":a", "ä€🙂", "\n", "{}", "E'\\x00'")


@pytest.fixture
def url(postgresql_server: PostgresqlServer) -> str:
    """Return the URL of an empty database."""
    return postgresql_server.new_database()


def named(name: str, position: int) -> dict[str, object]:
    return {"name": name, "position": position}


def test_a_rule_is_written_in_three_round_trips(url: str, tmp_path: Path) -> None:
    """The lock and the counters, everything that is stored, and the commit."""
    trace = tmp_path / "trace"

    async def run() -> None:
        database = PostgresqlDatabase(url)
        await database.prepare()
        store = Store(database)
        await store.load()
        await store.write(partial(context_features.add, name="f"))
        await store.write(declaration("a", {"f"}, 0))
        async with database.reading() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        with trace.open("w") as file:
            driver.pgconn.trace(file.fileno())
            add = partial(rules.add, setting_name="a", feature_values={"f": "x"}, value=1, metadata={})
            await store.write(add)
            driver.pgconn.untrace()
        await store.close()

    asyncio.run(run())
    assert trace.read_text().count("ReadyForQuery") == 3


def test_any_text_is_stored_as_it_is(database: str) -> None:
    """Parameters are never taken for a part of a statement."""

    async def run() -> None:
        async with opened(database) as store:
            for name in STRANGE:
                await store.write(partial(context_features.add, name=name))
            assert store.catalog.context_features == STRANGE
        async with opened(database) as other:
            assert other.catalog.context_features == STRANGE

    asyncio.run(run())


def test_statements_keep_their_order(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if some have so many rows that they are sent alone, and if there are so many that they are sent in parts."""
    monkeypatch.setattr(batches, "_MOST_STATEMENTS", 20)
    move = update(FEATURES).where(FEATURES.c.name == bindparam("moved")).values(position=bindparam("to"))
    many = [named(f"many{number}", number) for number in range(10, 10 + 2 * MOST_ROWS)]

    async def run() -> list[int]:
        async with opened(url):
            database = PostgresqlDatabase(url)
            async with database.writing() as connection:
                async with database.batching(connection) as statements:
                    await statements.execute(INSERT, named("a", 0))
                    await insert_many(statements, FEATURES, many)
                    for position in range(-1, -50, -1):
                        await statements.execute(move, {"moved": "a", "to": position})
                    await statements.execute(
                        move, [{"moved": row["name"], "to": 1_000 + n} for n, row in enumerate(many)]
                    )
                    await insert_many(statements, FEATURES, [named("b", 10)])
                    await statements.execute(move.values(position=11), {"moved": "b"})
                positions = list(await connection.scalars(select(FEATURES.c.position).order_by(FEATURES.c.position)))
            await database.close()
            return positions

    assert asyncio.run(run()) == [-49, 11, *range(1_000, 1_000 + len(many))]


def test_nothing_is_stored_if_a_statement_fails(database: str) -> None:
    """The error is raised at the end of the block, and the connection can be used again."""

    async def run() -> None:
        async with opened(database):
            used = open_database(database)
            with pytest.raises((psycopg.errors.UniqueViolation, sqlite3.IntegrityError)):  # noqa: PT012  # the block is what is tested
                async with used.writing() as connection, used.batching(connection) as statements:
                    await statements.execute(INSERT, [named("a", 0), named("b", 0)])
                    await statements.execute(INSERT, named("c", 1))
            async with used.writing() as connection, used.batching(connection) as statements:
                await statements.execute(INSERT, named("d", 0))
            await used.close()

    asyncio.run(run())
    assert run_sql(database, "SELECT name FROM context_features") == [("d",)]


def test_nothing_is_stored_if_the_block_fails(database: str) -> None:
    """What was collected is forgotten, and what was executed is undone."""

    async def run() -> None:
        async with opened(database):
            used = open_database(database)
            with pytest.raises(LookupError):  # noqa: PT012
                async with used.writing() as connection, used.batching(connection) as statements:
                    await statements.execute(INSERT, named("a", 0))
                    raise LookupError
            await used.close()

    asyncio.run(run())
    assert run_sql(database, "SELECT name FROM context_features") == []


def test_times_are_stored_in_utc(database: str) -> None:
    """Whatever their time zone, they come back as the same moments, with their microseconds."""
    starts_at = datetime(2100, 1, 2, 3, 4, 5, 678_901, timezone(timedelta(hours=5, minutes=30)))
    row = {"revision": 1, "time": starts_at, "author_kind": "service", "reverts": None}

    async def run() -> list[datetime]:
        async with opened(database):
            used = open_database(database)
            async with used.writing() as connection:
                async with used.batching(connection) as statements:
                    await statements.execute(insert(tables.history), row)
                times = list(await connection.scalars(select(tables.history.c.time)))
            await used.close()
            return times

    times = asyncio.run(run())
    assert times == [starts_at]
    assert times[0].tzinfo is UTC
