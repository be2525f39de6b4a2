"""Creates the schema of new SQLite databases from a copy, which is faster than the migrations."""

import secrets
from typing import Any

from sqlalchemy import Connection

from heksherlite.service.storage.schema import upgrade_schema

_DRAWN = "SELECT database_id, revision_nonce, (SELECT key FROM keys) FROM heksherlite_state"
_TABLES = ("heksherlite_schema", "heksherlite_state", "keys", "revisions")
"""The tables that are not empty after the migrations."""


class SchemaCopy:
    """The statements that create the schema and its first rows, from the first database that the migrations created."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._drawn: tuple[str, ...] = ()

    def upgrade(self, connection: Connection) -> None:
        """Create the schema of an empty database. The migrations upgrade any other one, and create the first one."""
        is_empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
        if not is_empty or not self._statements:
            upgrade_schema(connection)
            if is_empty:
                self._copy(connection)
            return
        script = "\0".join(self._statements)
        for drawn in self._drawn:
            script = script.replace(drawn, secrets.token_hex(len(drawn) // 2))
        _execute(connection, script.split("\0"))

    def _copy(self, connection: Connection) -> None:
        schema = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql NOT LIKE '%sqlite_sequence%'")
        self._statements = [statement for (statement,) in schema]
        for table in _TABLES:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            for row in rows:
                values = ", ".join("NULL" if value is None else repr(value) for value in row)
                self._statements.append(f"INSERT INTO {table} VALUES ({values})")  # noqa: S608
        self._drawn = tuple(connection.exec_driver_sql(_DRAWN).one())


def _execute(connection: Connection, statements: list[str]) -> None:
    """Execute statements on the thread of the driver, which SQLAlchemy would go to and come back from for each one."""

    async def execute(driver: Any) -> None:
        def execute_all() -> None:
            for statement in statements:
                driver._conn.execute(statement)

        await driver._execute(execute_all)

    adapter: Any = connection.connection.dbapi_connection
    adapter.run_async(execute)
