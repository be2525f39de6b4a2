import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from heksherlite.errors import ServiceStartError
from heksherlite.service.storage import tables
from heksherlite.service.storage.new_schema import VERSION_TABLE
from heksherlite.service.storage.schema import revisions, upgrade_schema
from heksherlite.service.storage.urls import open_database
from tests.service.stores import opened, prepare, run_sql

ROWS = (
    "UPDATE heksherlite_state SET revision = 5, features_revision = 1, last_setting_id = 1, last_rule_id = 1",
    "INSERT INTO context_features (name, position) VALUES ('user', 0)",
    """
    INSERT INTO settings (id, name, type, default_value, version, metadata, revision)
    VALUES (1, 'ttl', 'int', '60', '1.2', '{}', 5)
    """,
    "INSERT INTO configurable_features (setting_id, context_feature) VALUES (1, 'user')",
    "INSERT INTO aliases (setting_id, alias) VALUES (1, 'old')",
    "INSERT INTO rules (id, setting_id, value, metadata, revision) VALUES (1, 1, '5', '{}', 5)",
    "INSERT INTO conditions (rule_id, context_feature, value) VALUES (1, 'user', 'john')",
)
"""What a service of the first version may have left."""


def make_earlier(url: str, revision: str) -> None:
    """Create a database as an earlier version left it."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        upgrade_schema(connection, to=revision)
        for row in ROWS:
            connection.execute(text(row))
    engine.dispose()


def differences(connection: Connection) -> Any:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return compare_metadata(context, tables.metadata)


REVISIONS = revisions()


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param(revision, marks=[] if revision in {REVISIONS[0], REVISIONS[-2]} else pytest.mark.thorough)
        for revision in REVISIONS
    ],
)
def test_any_earlier_database_is_upgraded(database: str, earlier: str) -> None:
    """From each revision of the schema, an upgrade gives the current tables and keeps their contents."""
    make_earlier(database, earlier)

    async def run() -> None:
        async with opened(database) as store:
            entry = store.catalog.entry("old")
            assert (entry.setting.name, [rule.value for rule in entry.rules.values()]) == ("ttl", [5])
            assert store.catalog.counters.revision == 5
        opened_again = open_database(database)
        async with opened_again.reading() as connection:
            assert await connection.run_sync(differences) == []
        await opened_again.close()

    asyncio.run(run())


def test_a_database_of_a_newer_version_is_refused(database: str) -> None:
    """A schema of a newer version is refused and left unchanged."""
    prepare(database)
    run_sql(database, "UPDATE heksherlite_schema SET version_num = '9999'")
    with pytest.raises(ServiceStartError, match="newer version"):
        prepare(database)


def test_the_tables_of_others_are_left_alone(database: str) -> None:
    """A database with other tables is refused and left unchanged."""
    prepare(database)
    run_sql(database, "DROP TABLE heksherlite_schema")
    with pytest.raises(ServiceStartError, match="holds other tables"):
        prepare(database)
    run_sql(database, "DELETE FROM settings")
