"""Which database a URL or a path names."""

import os
from pathlib import Path

from heksherlite.errors import ServiceStartError
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.sqlite import SqliteDatabase

_SQLITE = ("sqlite:///", "sqlite+aiosqlite:///")


def open_database(database: str | os.PathLike[str]) -> Database:
    """Return the database of a URL such as ``sqlite:///settings.db``, or of the path of a SQLite file.

    Nothing is opened yet.

    Raises:
        ServiceStartError: The URL is of a kind that is not supported.
    """
    return SqliteDatabase(sqlite_path(database))


def sqlite_path(database: str | os.PathLike[str]) -> Path:
    """Return the path of the SQLite file that a URL or path names.

    ``sqlite:///a.db`` is relative to the working folder, ``sqlite:////srv/a.db`` is absolute.

    Raises:
        ServiceStartError: The URL is of a kind that is not supported.
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
        raise ServiceStartError(f"database URLs of kind {scheme!r} are not supported; use sqlite:///PATH")
    return Path(database)
