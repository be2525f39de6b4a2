"""What the service needs from a database, whichever it is."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class DatabaseUnavailableError(Exception):
    """The database cannot be reached or used right now; nothing was written."""


class Database(Protocol):
    """A database of settings and rules."""

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

    async def has_news(self) -> bool:
        """Tell whether anyone may have written since the last call.

        Raises:
            DatabaseUnavailableError: This cannot be found out.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
