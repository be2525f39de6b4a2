"""The transaction that stores a rule, sent by psycopg and nothing else."""

import asyncio
from types import TracebackType
from typing import Any, Self

import psycopg

from heksherlite.service.storage.urls import open_database

_BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(1)"
_STATE = b"SELECT database_id, revision, features_revision, last_setting_id, last_rule_id FROM heksherlite_state"
_STATEMENTS = (
    b"INSERT INTO rules (id, setting_id, value, metadata, revision) VALUES (%(id)s, 1, %(value)s, '{}', %(revision)s)",
    b"INSERT INTO conditions (rule_id, context_feature, value) VALUES (%(id)s, 'user', %(user)s)",
    b"UPDATE settings SET revision = %(revision)s WHERE id = 1",
    b"UPDATE heksherlite_state SET revision = %(revision)s, last_rule_id = %(id)s, changed_at = now()",
    b"INSERT INTO history (revision, time, author_kind) VALUES (%(revision)s, now(), 'service')",
    b"INSERT INTO history_changes VALUES (%(revision)s, 0, 1, %(id)s, 'ttl', NULL, %(after)s)",
)
_COMMIT = b"SELECT pg_notify('heksherlite', ''); COMMIT"
_PREPARE = (
    b"INSERT INTO context_features VALUES ('user', 0)",
    (
        b"INSERT INTO settings (id, name, type, default_value, version, metadata, revision, nonce)"
        b" VALUES (1, 'ttl', 'int', '0', '1.0', '{}', 1, '')"
    ),
)


class BareWriter:
    """Adds rules to a database, within a block.

    Args:
        url: An empty database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any]

    def __enter__(self) -> Self:
        asyncio.run(self._make_tables())
        self._connection = psycopg.connect(self._url, autocommit=True)
        for statement in _PREPARE:
            self._connection.execute(statement)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def write(self, number: int) -> None:
        """Add a rule."""
        execute = self._connection.execute
        execute(_BEGIN, prepare=False)
        state = execute(_STATE).fetchone()
        assert state is not None
        values = {
            "id": state[4] + 1,
            "value": str(number),
            "user": f"u{number}",
            "revision": state[1] + 1,
            "after": f'{{"feature_values":{{"user":"u{number}"}},"value":{number},"metadata":{{}}}}',
        }
        for statement in _STATEMENTS:
            execute(statement, values)
        execute(_COMMIT, prepare=False)

    async def _make_tables(self) -> None:
        database = open_database(self._url)
        await database.prepare()
        await database.close()
