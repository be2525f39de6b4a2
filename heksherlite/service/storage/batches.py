"""Statements that are sent to PostgreSQL together.

A write consists of about ten small statements. Waiting for the result of each takes longer than they do, so they are
merged into one text, with their parameters in it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import Dialect, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.storage.statements import Row, compiled, rows_of

MOST_ROWS: Final = 100
"""The maximum number of rows that are worth merging. For more, the driver prepares the statement."""

_MOST_STATEMENTS: Final = 1_000


class Batch:
    """Collects statements and sends them together, in their order.

    Args:
        connection: A connection in a transaction.
        dialect: The dialect of the statements.
        merge: Returns a compiled statement with its parameters in it.
        send: Executes a text of several statements.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        dialect: Dialect,
        *,
        merge: Callable[[str, Row], str],
        send: Callable[[str], Awaitable[object]],
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._merge = merge
        self._send = send
        self._collected: list[str] = []

    async def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None, /) -> None:
        """Add a statement. What goes wrong with it is raised here, by a later call, or by `flushed`."""
        rows = rows_of(parameters)
        if len(rows) > MOST_ROWS:
            await (await self.flushed()).execute(statement, rows)
        elif rows:
            sent = compiled(statement, tuple(rows[0]), self._dialect)
            self._collected += [self._merge(sent.text, sent.parameters(row)) for row in rows]
            if len(self._collected) > _MOST_STATEMENTS:
                await self.flushed()

    async def flushed(self) -> AsyncConnection:
        """Send what was collected, and return the connection."""
        if self._collected:
            text = "; ".join(self._collected)
            self._collected.clear()
            await self._send(text)
        return self._connection
