"""Stores over real databases, without a service around them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    database = open_database(url)
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


def prepare(url: str) -> None:
    """Start on a database as a service does, and stop again."""

    async def run() -> None:
        async with opened(url):
            pass

    asyncio.run(run())
