"""Opens the database of a URL or path."""

import os
import re
from pathlib import Path

from heksherlite.errors import ServiceStartError
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.encryption import cipher_from_environment
from heksherlite.service.storage.sqlite import SqliteDatabase

_SQLITE = ("sqlite:///", "sqlite+aiosqlite:///")
_KEEP_PERMISSIONS = "?permissions=keep"
_POSTGRESQL = re.compile(r"(postgresql|postgres)(\+(psycopg|psycopg2|asyncpg))?://")


def open_database(database: str | os.PathLike[str]) -> Database:
    """Return the database of a URL, or of the path of a SQLite file. It is not opened yet.

    Args:
        database: Such as ``sqlite:///settings.db``, ``postgresql://user:password@host/database`` or ``settings.db``.
            The names of drivers that some programs put into URLs are ignored. ``?permissions=keep`` at the end of the
            URL of a SQLite file leaves its permissions as they are; otherwise it is made private to the user.

    Raises:
        ServiceStartError: The kind of URL is not supported, its driver is not installed, or the secrets key is
            invalid.
    """
    cipher_from_environment()  # a missing or malformed key is told before anything starts
    if isinstance(database, str) and (scheme := _POSTGRESQL.match(database)):
        return _postgresql("postgresql://" + database[scheme.end() :])
    location = database
    if isinstance(database, str) and database.startswith(_SQLITE):
        location = database.removesuffix(_KEEP_PERMISSIONS)
    return SqliteDatabase(sqlite_path(location), keep_permissions=location != database)


def _postgresql(url: str) -> Database:
    try:
        from heksherlite.service.storage.postgresql import PostgresqlDatabase  # noqa: PLC0415  # requires an extra
    except ImportError as error:
        raise ServiceStartError(
            f"PostgreSQL needs the postgresql extra: pip install 'heksherlite[postgresql]' ({error})"
        ) from error
    return PostgresqlDatabase(url)


def sqlite_path(database: str | os.PathLike[str]) -> Path:
    """Return the path of a SQLite file from a URL or path.

    ``sqlite:///a.db`` is relative to the working folder, ``sqlite:////srv/a.db`` is absolute.

    Raises:
        ServiceStartError: The kind of URL is not supported.
    """
    if not isinstance(database, str):
        return Path(database)
    for prefix in _SQLITE:
        if database.startswith(prefix):
            path, _, options = database.removeprefix(prefix).partition("?")
            if not path or path == ":memory:" or options:
                raise ServiceStartError("a sqlite URL must name a file, without options: sqlite:///PATH")
            return Path(path)
    scheme, separator, _ = database.partition(":")
    if separator and (database[len(scheme) :].startswith("://") or scheme.startswith("sqlite")):
        raise ServiceStartError(
            f"database URLs of kind {scheme!r} are not supported; use sqlite:///PATH or postgresql://..."
        )
    return Path(database)
