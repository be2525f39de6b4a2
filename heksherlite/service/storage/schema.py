"""Creates the schema of a new database, and upgrades the schema of an older version."""

from functools import cache, partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from heksherlite.errors import ServiceStartError
from heksherlite.service.storage.new_schema import NEWEST_REVISION, VERSION_TABLE, create_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory

# Alembic is imported when a schema is upgraded, because that takes a tenth of a second.


def check_schema(connection: Connection) -> bool:
    """Check that the database is empty, or has a schema that this version can use or upgrade.

    Returns:
        Whether the schema is the one of this version. Otherwise it has to be created or upgraded.

    Raises:
        ServiceStartError: The database belongs to something else or to a newer version.
    """
    return _applied(connection) == {NEWEST_REVISION}


def _applied(connection: Connection) -> set[str] | None:
    """Return the newest applied migration, or None for an empty database."""
    present = set(inspect(connection).get_table_names())
    if not present:
        return None
    if VERSION_TABLE not in present:
        raise ServiceStartError("the database holds other tables and is not one of heksherlite")
    applied: set[str] = set(connection.scalars(select(column("version_num")).select_from(table(VERSION_TABLE))))
    if applied != {NEWEST_REVISION} and applied.difference(revisions()):
        raise ServiceStartError(
            f"the database was written by a newer version of heksherlite (schema {', '.join(applied)});"
            " install that version"
        )
    return applied


def revisions() -> list[str]:
    """Return all revisions of the schema, the oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def upgrade_schema(connection: Connection, *, to: str = "head") -> None:
    """Create the schema of an empty database, or apply the missing migrations.

    The caller holds the write lock and commits.

    Args:
        connection: A connection in a transaction.
        to: The last revision to apply, from the first one for an empty database. By default the newest.
    """
    if to == "head":
        applied = _applied(connection)
        if applied is None:
            create_schema(connection)
        if applied is None or applied == {NEWEST_REVISION}:
            return
    from alembic.operations import Operations  # noqa: PLC0415

    context = _migration_context(connection, to=to)
    # Migrations get their operations as an argument. Alembic's usual `op` is global to the process, in which several
    # services may start at the same time.
    context.run_migrations(op=Operations(context))


def _migration_context(connection: Connection, *, to: str) -> "MigrationContext":
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    options = {"version_table": VERSION_TABLE, "fn": partial(_steps, to)}
    return MigrationContext.configure(connection, opts=options)


def _steps(to: str, applied: tuple[str, ...], _context: "MigrationContext") -> "Iterable[RevisionStep]":
    from alembic.runtime.migration import MigrationStep  # noqa: PLC0415

    scripts = _scripts()
    missing = list(scripts.iterate_revisions(to, applied or "base"))
    return [MigrationStep.upgrade_from_script(scripts.revision_map, script) for script in reversed(missing)]


@cache
def _scripts() -> "ScriptDirectory":
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "heksherlite.service.storage:migrations")
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)
