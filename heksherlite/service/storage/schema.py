"""Creating the schema of a new database, and upgrading that of an older version."""

from collections.abc import Iterable
from functools import cache, partial

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from heksherlite.errors import ServiceStartError

VERSION_TABLE = "heksherlite_schema"
"""Holds the newest migration that was applied; its presence marks a database as ours."""


def check_schema(connection: Connection) -> None:
    """Check that the database is empty, or one of ours that this version can read or upgrade.

    Raises:
        ServiceStartError: It is not.
    """
    present = set(inspect(connection).get_table_names())
    if not present:
        return
    if VERSION_TABLE not in present:
        raise ServiceStartError("the database holds other tables and is not one of heksherlite")
    applied = set(_migration_context(connection).get_current_heads())
    if applied.difference(revisions()):
        raise ServiceStartError(
            f"the database was written by a newer version of heksherlite (schema {', '.join(applied)});"
            " install that version"
        )


def revisions() -> list[str]:
    """Return the revisions of the schema that there have been, the oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def upgrade_schema(connection: Connection, *, to: str = "head") -> None:
    """Apply the migrations that are missing; the caller holds the write lock and commits.

    Args:
        connection: Within a transaction.
        to: The revision to end at, by default the newest.
    """
    check_schema(connection)
    context = _migration_context(connection, to=to)
    # Migrations get their operations as an argument: alembic's usual `op` is one for the whole process, and
    # several services may start in it at once.
    context.run_migrations(op=Operations(context))


def _migration_context(connection: Connection, *, to: str = "head") -> MigrationContext:
    options = {"version_table": VERSION_TABLE, "fn": partial(_steps, to)}
    return MigrationContext.configure(connection, opts=options)


def _steps(to: str, applied: tuple[str, ...], _context: MigrationContext) -> Iterable[RevisionStep]:
    scripts = _scripts()
    missing = list(scripts.iterate_revisions(to, applied or "base"))
    return [MigrationStep.upgrade_from_script(scripts.revision_map, script) for script in reversed(missing)]


@cache
def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", "heksherlite.service.storage:migrations")
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)
