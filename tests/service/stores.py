"""Stores over real databases, without a service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.change_log import ChangeLog
from heksherlite.service.domain.lineage import NO_LINEAGE
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database

Write = Callable[[Catalog], Decision[Any]]


@asynccontextmanager
async def opened(url: str, *, poll_interval: float = 0.01) -> AsyncIterator[Store]:
    database = open_database(url)
    store = Store(database, poll_interval=poll_interval, check_interval=0.05)
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


def prepare(url: str) -> None:
    """Start a store on a database and stop it again, as a service does."""

    async def run() -> None:
        async with opened(url):
            pass

    asyncio.run(run())


def run_sql(url: str, *statements: str) -> list[Any]:
    """Run statements in one transaction, without a service, and return the rows of the last."""

    async def run() -> list[Any]:
        database = open_database(url)
        rows: list[Any] = []
        async with database.writing() as connection:
            for statement in statements:
                result = await connection.exec_driver_sql(statement)
                rows = list(result) if result.returns_rows else []
        await database.close()
        return rows

    return asyncio.run(run())


def without_logs(catalog: Catalog) -> Catalog:
    """Remove what a catalog remembers of its own past, which a process that starts later does not know."""
    entries = {id_: replace(entry, log=ChangeLog(0)) for id_, entry in catalog.entries.items()}
    return replace(catalog, entries=entries, lineage=NO_LINEAGE)
