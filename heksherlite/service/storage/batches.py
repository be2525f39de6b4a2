"""Statements that are sent to PostgreSQL together.

A write consists of about ten small statements. Waiting for the result of each takes longer than they do, so they are
merged into one text, with their parameters in it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Compiled, Dialect, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

Row: TypeAlias = Mapping[str, Any]

MOST_ROWS: Final = 100
"""The maximum number of rows that are worth merging. For more, the driver prepares the statement."""

_MOST_STATEMENTS: Final = 1_000


class Statements(Protocol):
    """What executes statements that return no rows: a connection, or a batch."""

    async def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None, /) -> object:
        """Execute a statement once, or once for each of some rows of parameters."""
        ...


class Batch:
    """Collects statements and sends them together, in their order.

    Statements that are executed often should be constants, with their parameters in rows: they are compiled once.

    Args:
        connection: A connection in a transaction.
        merge: Returns a compiled statement with its parameters in it.
        send: Executes a text of several statements.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        *,
        merge: Callable[[str, Row], str],
        send: Callable[[str], Awaitable[object]],
    ) -> None:
        self._connection = connection
        self._merge = merge
        self._send = send
        self._collected: list[str] = []

    async def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None, /) -> None:
        """Add a statement. What goes wrong with it is raised here, by a later call, or by `flushed`."""
        rows = parameters if isinstance(parameters, Sequence) else [parameters or {}]
        if len(rows) > MOST_ROWS:
            await (await self.flushed()).execute(statement, rows)
        elif rows:
            compiled = _compiled(statement, tuple(rows[0]), self._connection.dialect)
            text = str(compiled)
            self._collected += [self._merge(text, compiled.construct_params(row) or {}) for row in rows]
            if len(self._collected) > _MOST_STATEMENTS:
                await self.flushed()

    async def flushed(self) -> AsyncConnection:
        """Send what was collected, and return the connection."""
        if self._collected:
            text = "; ".join(self._collected)
            self._collected.clear()
            await self._send(text)
        return self._connection


@lru_cache(maxsize=200)
def _compiled(statement: Any, names: tuple[str, ...], dialect: Dialect) -> Compiled:
    compiled: Compiled = statement.compile(
        dialect=dialect, column_keys=list(names) or None, compile_kwargs={"render_postcompile": True}
    )
    return compiled
