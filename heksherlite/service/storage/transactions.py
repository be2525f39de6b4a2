"""Reading and writing what is beside the settings and rules: applications, device codes, groups."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeVar

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.history import Cause, Change
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database, InterruptedWriteError
from heksherlite.service.storage.history import write_record
from heksherlite.service.storage.rows import read_state

T = TypeVar("T")

Work = Callable[[AsyncConnection], Awaitable[T]]
"""What is done in a transaction. It may be called again, in another one, if the first was interrupted."""

_ATTEMPTS: Final = 4


async def _nothing() -> None:
    """Be what follows a write if nothing has to."""


class Transactions:
    """Transactions of a database, each as a whole.

    Both methods raise `DatabaseUnavailableError` if the database cannot be reached, and what the work raises; then
    nothing is written.

    Args:
        database: The database.
        after_write: Called after each write; whoever holds something in memory can look again.
        before_write: Called before each write; it may raise `DatabaseUnavailableError`.
    """

    def __init__(
        self,
        database: Database,
        *,
        after_write: Callable[[], Awaitable[None]] = _nothing,
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._after_write = after_write
        self._before_write = before_write

    async def read(self, work: Work[T]) -> T:
        """Do some work that only reads, and return what it returns."""
        async with self._database.reading() as connection:
            return await work(connection)

    async def write(self, work: Work[T]) -> T:
        """Do some work while nobody else can write, and return what it returns after it is committed."""
        self._before_write()
        # A request that is cancelled, as when the service stops, does not cut a transaction in two.
        return await asyncio.shield(self._write_and_tell(work))

    async def _write_and_tell(self, work: Work[T]) -> T:
        for _ in range(_ATTEMPTS - 1):
            with suppress(InterruptedWriteError):
                return await self._write(work)
        return await self._write(work)

    async def _write(self, work: Work[T]) -> T:
        async with self._database.writing() as connection:
            answer = await work(connection)
        await self._after_write()
        return answer


async def move_revision(connection: AsyncConnection) -> None:
    """Let all services on the database notice that tokens or applications were written."""
    following = tables.state.c.revision + 1
    await connection.execute(update(tables.state).values(revision=following, access_revision=following))


async def record(connection: AsyncConnection, cause: Cause, changes: Iterable[Change]) -> None:
    """Make a revision that has no part in settings, and write it into the history."""
    await move_revision(connection)
    state = (await read_state(connection)).dated(datetime.now(UTC))
    await connection.execute(update(tables.state).values(changed_at=state.changed_at))
    await write_record(connection, state, cause, changes)
