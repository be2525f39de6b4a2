"""What the service needs from a database, whichever it is."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class Database(Protocol):
    """A database of settings and rules."""

    @property
    def location(self) -> str:
        """Where it is, for people to read: the path of a file, or a URL without password."""
        ...

    @property
    def wake_up(self) -> asyncio.Event:
        """Set when it is worth asking for news now instead of some time later; to be cleared before asking."""
        ...

    async def prepare(self) -> None:
        """Check that the database is ours or empty, and create or upgrade its schema.

        Raises:
            ServiceStartError: It is neither, or it cannot be opened.
        """
        ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that holds the write lock; commit at the end, roll back on an exception.

        Raises:
            DatabaseUnavailableError: It cannot be opened or committed.
            InterruptedWriteError: The same, and it may be tried again.
            UnknownOutcomeError: It may have been committed.
        """
        ...

    def batching(self, connection: AsyncConnection) -> AbstractAsyncContextManager[None]:
        """Send the statements of a block together, if that is quicker; none of them is to return anything.

        What goes wrong with one of them is raised at the end of the block at the latest.

        Args:
            connection: One of `writing`.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that sees one revision.

        Raises:
            DatabaseUnavailableError: It cannot be opened.
        """
        ...

    async def check(self) -> None:
        """Check that the database can still be reached.

        Raises:
            DatabaseUnavailableError: It cannot.
        """
        ...

    async def has_changes(self) -> bool:
        """Tell whether anyone may have written since the last call.

        Raises:
            DatabaseUnavailableError: This cannot be found out.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
