"""Creates the schema of new SQLite databases from a copy, which is faster than the migrations."""

import secrets

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
        renewed = [secrets.token_hex(len(drawn) // 2) for drawn in self._drawn]
        for statement in self._statements:
            for old, new in zip(self._drawn, renewed, strict=True):
                statement = statement.replace(old, new)  # noqa: PLW2901
            connection.exec_driver_sql(statement)

    def _copy(self, connection: Connection) -> None:
        schema = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql NOT LIKE '%sqlite_sequence%'")
        self._statements = [statement for (statement,) in schema]
        for table in _TABLES:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            for row in rows:
                values = ", ".join("NULL" if value is None else repr(value) for value in row)
                self._statements.append(f"INSERT INTO {table} VALUES ({values})")  # noqa: S608
        self._drawn = tuple(connection.exec_driver_sql(_DRAWN).one())
