"""A new database is created from the tables, and is the same as one that went through all migrations."""

from typing import Any

from sqlalchemy import Connection, MetaData, create_engine, inspect, text

from heksherlite.service.storage.new_schema import NEWEST_REVISION
from heksherlite.service.storage.schema import revisions, upgrade_schema

DRAWN = {"database_id", "revision_nonce", "features_nonce", "access_nonce", "nonce", "key"}
"""Columns with random contents. Migrations that added one gave it a random default, which no statement uses."""


def schema_of(connection: Connection) -> dict[str, Any]:
    """Return the tables, with their columns, keys, constraints and indexes."""
    inspector = inspect(connection)
    return {
        table: [
            inspector.get_pk_constraint(table),
            *sorted(map(column_of, inspector.get_columns(table))),
            *sorted(map(repr, inspector.get_indexes(table))),
            *sorted(map(repr, inspector.get_foreign_keys(table))),
            *sorted(map(repr, inspector.get_unique_constraints(table))),
            *sorted(map(repr, inspector.get_check_constraints(table))),
        ]
        for table in inspector.get_table_names()
    }


def column_of(column: Any) -> str:
    drawn = {"default": "random"} if column["name"] in DRAWN else {}
    return repr({**column, "type": str(column["type"]), **drawn})


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return all rows, with the length of what is random."""
    return {
        table: [
            {name: len(value) if name in DRAWN else value for name, value in row.items()}
            for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
        ]
        for table in inspect(connection).get_table_names()
    }


def test_a_new_database_has_the_schema_of_all_migrations(database: str) -> None:
    """Tables, columns, defaults, keys, constraints, indexes and the first rows are those that the migrations give."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        upgrade_schema(connection)
        created, first_rows = schema_of(connection), rows_of(connection)
        present = MetaData()
        present.reflect(connection)
        present.drop_all(connection)
        upgrade_schema(connection, to=NEWEST_REVISION)
        assert created == schema_of(connection)
        assert first_rows == rows_of(connection)
    engine.dispose()


def test_the_newest_revision_is_that_of_the_newest_migration() -> None:
    """A new migration changes the constant, too."""
    assert revisions()[-1] == NEWEST_REVISION
