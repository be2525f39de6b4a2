"""The interface of a database."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.counters import Counters
from heksherlite.service.storage.replicas import Replica
from heksherlite.service.storage.statements import Statements


class Database(Protocol):
    """A database of settings and rules."""

    @property
    def location(self) -> str:
        """The location of the database, for people: the path of a file, or a URL without password."""
        ...

    @property
    def wake_up(self) -> asyncio.Event:
        """Set when `has_changes` should be called now instead of later. Clear it before the call."""
        ...

    def now(self) -> datetime:
        """Return the time of the clock that all processes that use the database agree on."""
        ...

    async def has_other_users(self) -> bool:
        """Return whether another process seems to use the database. Call this before anything else.

        Raises:
            DatabaseUnavailableError: The database cannot be reached.
        """
        ...

    async def prepare(self) -> None:
        """Check that the database is empty or belongs to the service, and create or upgrade its schema.

        Raises:
            ServiceStartError: The database belongs to something else, or it cannot be opened.
        """
        ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that holds the write lock; commit at the end, roll back on an exception.

        Raises:
            DatabaseUnavailableError: The transaction cannot be opened or committed.
            InterruptedWriteError: The transaction was interrupted and can be tried again.
            UnknownOutcomeError: The transaction may have been committed.
        """
        ...

    async def counters(self, connection: AsyncConnection) -> Counters:
        """Return the counters at the beginning of a transaction.

        Args:
            connection: One of `writing`.

        Raises:
            DatabaseUnavailableError: There are none.
        """
        ...

    def batching(self, connection: AsyncConnection) -> AbstractAsyncContextManager[Statements]:
        """Yield what sends the statements of a block together, if that is faster. They must not return rows.

        What goes wrong with one of them is raised at the end of the block at the latest.

        Args:
            connection: One of `writing`.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that sees one revision.

        Raises:
            DatabaseUnavailableError: The transaction cannot be opened.
        """
        ...

    async def check(self) -> None:
        """Check that the database can still be reached.

        Raises:
            DatabaseUnavailableError: It cannot be reached.
        """
        ...

    async def has_changes(self) -> bool:
        """Return whether something may have been written since the last call.

        Raises:
            DatabaseUnavailableError: The database cannot be read.
        """
        ...

    async def replicas(self) -> Sequence[Replica] | None:
        """Return the processes of the service that use the database, or None if the database does not know them.

        Raises:
            DatabaseUnavailableError: The database cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
