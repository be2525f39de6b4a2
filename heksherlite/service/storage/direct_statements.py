"""Statements that the driver of SQLite executes without SQLAlchemy.

The driver executes each call in a thread of its own. SQLAlchemy needs three calls for a statement, and this needs one.
"""

from collections.abc import Sequence
from typing import Any, Final

import aiosqlite
from sqlalchemy import URL, Dialect, Executable

from heksherlite.service.storage.statements import Row, compiled, rows_of

_SQLITE: Any = URL.create("sqlite").get_dialect()
_DIALECT: Final[Dialect] = _SQLITE(paramstyle="named")


class DirectStatements:
    """Executes statements at once, in a transaction of a connection.

    Args:
        driver: The connection.
    """

    def __init__(self, driver: aiosqlite.Connection) -> None:
        self._driver = driver

    async def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None, /) -> None:
        """Execute a statement once, or once for each of some rows of parameters.

        Raises:
            sqlite3.Error: It failed.
        """
        rows = rows_of(parameters)
        if rows:
            executed = compiled(statement, tuple(rows[0]), _DIALECT)
            each = [executed.parameters(row) for row in rows]
            if len(each) == 1:
                await self._driver.execute_fetchall(executed.text, each[0])
            else:
                await self._driver.executemany(executed.text, each)
