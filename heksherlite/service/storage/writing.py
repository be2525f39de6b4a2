"""The one way to write to a database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.errors import DatabaseBusyError, DatabaseUnavailableError, InterruptedWriteError
from heksherlite.service.storage.availability import Availability, Moment
from heksherlite.service.storage.database import Database

T = TypeVar("T")

Work: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]
"""What is done in a transaction. It is called again, in a new transaction, if the first one was interrupted."""

ATTEMPTS: Final = 4
"""The maximum number of attempts at a write that other transactions or lost connections interrupt."""

_LONGEST_WAIT: Final = 8.0
"""The maximum time to wait for another write of this process, in seconds. For other processes it is similar."""


class Writer:
    """Writes to a database, one transaction at a time.

    Args:
        database: The database.

    Attributes:
        availability: Whether the database can be used; every failed write is reported to it.
        lock: Held during each attempt at a write. Hold it also while reading what writes replace.
        on_failure: Called after a write has failed because the database cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self.availability = Availability()
        self.lock = asyncio.Lock()
        self.on_failure: Callable[[], object] = lambda: None
        self._database = database

    async def write(
        self, work: Work[T], *, committed: Callable[[T], object] = lambda _: None, attempts: int = ATTEMPTS
    ) -> T:
        """Do some work in a transaction that holds the write lock, and commit it.

        A cancelled request, as when the service stops, does not interrupt the transaction.

        Args:
            work: What to do. What it raises is raised here, and nothing is written.
            committed: Called with what the work returned, after the commit and before the next write.
            attempts: How often to try if the transaction is interrupted.

        Returns:
            What the work returned.

        Raises:
            DatabaseUnavailableError: The database cannot be used, and nothing was written.
            DatabaseBusyError: Another write takes long, and nothing was written.
            UnknownOutcomeError: The connection was lost during the commit; everything was written, or nothing.
        """
        self.raise_if_unavailable()
        began = self.availability.now()
        return await asyncio.shield(self._write_with_retries(work, committed, attempts, began))

    def raise_if_unavailable(self) -> None:
        """Raise `DatabaseUnavailableError` if the database could not be reached at the last check."""
        if not self.availability.reachable:
            raise DatabaseUnavailableError("the database could not be reached at the last check")

    async def _write_with_retries(
        self, work: Work[T], committed: Callable[[T], object], attempts: int, began: Moment
    ) -> T:
        try:
            for _ in range(attempts - 1):
                with suppress(InterruptedWriteError):
                    return await self._write(work, committed)
            return await self._write(work, committed)
        except DatabaseBusyError:
            raise
        except DatabaseUnavailableError as error:
            self.availability.write_failed(error, began)
            self.on_failure()
            raise

    async def _write(self, work: Work[T], committed: Callable[[T], object]) -> T:
        async with self._turn():
            self.raise_if_unavailable()
            async with self._database.writing() as connection:
                result = await work(connection)
            self.availability.written()
            committed(result)
            return result

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold the lock, unless another holds it for too long."""
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self.lock.acquire()
        except TimeoutError:
            raise DatabaseBusyError(f"another write takes longer than {_LONGEST_WAIT:g} s") from None
        try:
            yield
        finally:
            self.lock.release()
