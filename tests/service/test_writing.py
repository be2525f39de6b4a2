"""The one function that writes: its retries, and how it notices an unavailable database."""

import asyncio
import logging
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.groups import Group
from heksherlite.service.errors import DatabaseUnavailableError, InterruptedWriteError
from heksherlite.service.storage.writing import ATTEMPTS, Writer
from tests.service.stores import opened


async def interrupted(calls: list[int], until: int, _connection: AsyncConnection) -> int:
    calls.append(len(calls))
    if len(calls) < until:
        raise InterruptedWriteError("the server was restarted")
    return len(calls)


def test_an_interrupted_write_is_tried_again(tmp_path: Path) -> None:
    """A write that is interrupted is repeated in a new transaction, a few times, and then reported as failed."""

    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/a.db") as store:
            writer = Writer(store.access._database)  # one that nothing else uses
            failures: list[str] = []
            writer.on_failure = partial(failures.append, "failed")
            assert await writer.write(partial(interrupted, [], ATTEMPTS)) == ATTEMPTS
            assert failures == []
            calls: list[int] = []
            with pytest.raises(InterruptedWriteError):
                await writer.write(partial(interrupted, calls, ATTEMPTS + 1))
            assert (len(calls), failures) == (ATTEMPTS, ["failed"])

    asyncio.run(run())


def test_every_kind_of_write_notices_a_database_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed write of any kind is logged once, and so is the first that succeeds."""

    async def run() -> None:
        path = tmp_path / "a.db"
        async with opened(f"sqlite:///{path}") as store:
            caplog.set_level(logging.INFO, logger="heksherlite.service.storage.availability")
            limit = "PRAGMA max_page_count = 1"

            async def without_space(connection: AsyncConnection) -> None:
                await connection.exec_driver_sql(limit)

            await store._writer.write(without_space)  # the disk is full from now on
            large = Group("large", {"a": "x" * 2**20})
            for _ in range(3):
                with pytest.raises(DatabaseUnavailableError):
                    await store.groups.put(large, BY_SERVICE)
                store.availability.reached(store.availability.now())
            await store._writer.write(with_space)
            await store.groups.put(large, BY_SERVICE)
        assert [record.message for record in caplog.records] == [
            "the database can be reached, but a write failed: database or disk is full",
            "the database can be written again",
        ]

    asyncio.run(run())


async def with_space(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
