"""Databases that an earlier version created."""

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from sqlalchemy import create_engine, text

from heksherlite.service import embedded
from heksherlite.service.storage import schema
from heksherlite.service.storage.new_schema import VERSION_TABLE
from tests.service.api import Api

ROWS = [
    "UPDATE heksherlite_state SET revision = 5, features_revision = 1, last_setting_id = 1, last_rule_id = 7",
    "INSERT INTO context_features VALUES ('environment', 0), ('user', 1)",
    "INSERT INTO settings VALUES (1, 'cache_ttl', 'int', '60', '1.0', '{}', 5)",
    "INSERT INTO configurable_features VALUES (1, 'environment'), (1, 'user')",
    "INSERT INTO rules VALUES (7, 1, '10', '{}', 5)",
    "INSERT INTO conditions VALUES (7, 'user', 'john')",
]


def database_of(revision: str, path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    scripts = schema._scripts()
    steps = [
        MigrationStep.upgrade_from_script(scripts.revision_map, script)
        for script in reversed(list(scripts.iterate_revisions(revision, "base")))
    ]
    with engine.begin() as connection:
        options = {"version_table": VERSION_TABLE, "fn": lambda *_: steps}
        context = MigrationContext.configure(connection, opts=options)
        context.run_migrations(op=Operations(context))
        for row in ROWS:
            connection.execute(text(row))
    engine.dispose()


def test_a_database_without_history_gets_one(tmp_path: Path) -> None:
    """The database is upgraded with its contents. Its history begins at the upgrade."""
    database_of("0001", tmp_path / "a.db")
    with embedded(tmp_path / "a.db") as service:
        api = Api(service.url)
        with api.http:
            before = api.get("query").content
            assert api.rule_ids() == [7]
            assert api.history() == []
            assert api.get("query", at=5).content == before
            assert api.call("PUT", "rules/7/value", {"value": 11}).status_code == 204
            assert api.get("query", at=5).content == before
            assert api.get("query", at=4).status_code == 404
            assert api.get("query", at="2001-01-01").status_code == 404
            assert [record["revision"] for record in api.history()] == [6]
            assert api.call("POST", "history/6/revert").status_code == 200
            assert api.get("query").content == before
