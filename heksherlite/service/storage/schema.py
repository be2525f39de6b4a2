"""Creates the schema of a new database, and upgrades the schema of an older version."""

from collections.abc import Iterable
from functools import cache, partial

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, inspect, select, table

from heksherlite.errors import ServiceStartError

VERSION_TABLE = "heksherlite_schema"
"""The table with the newest applied migration. Its presence identifies a database of the service."""


def check_schema(connection: Connection) -> bool:
    """Check that the database is empty, or has a schema that this version can use or upgrade.

    Returns:
        Whether the schema is the one of this version. Otherwise it has to be created or upgraded.

    Raises:
        ServiceStartError: The database belongs to something else or to a newer version.
    """
    present = set(inspect(connection).get_table_names())
    if not present:
        return False
    if VERSION_TABLE not in present:
        raise ServiceStartError("the database holds other tables and is not one of heksherlite")
    applied: set[str] = set(connection.scalars(select(column("version_num")).select_from(table(VERSION_TABLE))))
    is_current = applied == set(_scripts().get_heads())
    if not is_current and applied.difference(revisions()):
        raise ServiceStartError(
            f"the database was written by a newer version of heksherlite (schema {', '.join(applied)});"
            " install that version"
        )
    return is_current


def revisions() -> list[str]:
    """Return all revisions of the schema, the oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def upgrade_schema(connection: Connection, *, to: str = "head") -> None:
    """Apply the missing migrations. The caller holds the write lock and commits.

    Args:
        connection: A connection in a transaction.
        to: The last revision to apply. By default the newest.
    """
    if check_schema(connection) and to == "head":
        return
    context = _migration_context(connection, to=to)
    # Migrations get their operations as an argument. Alembic's usual `op` is global to the process, in which several
    # services may start at the same time.
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
