"""How a command works on a database."""

import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import click

from heksherlite.cli.location import default_database
from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.history import Author, Cause
from heksherlite.service.errors import DatabaseUnavailableError, RequestError
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.urls import open_database

T = TypeVar("T")

reason_option = click.option("--reason", metavar="TEXT", help="Why, for the history.")


def existing_database(location: str | None) -> Database:
    """Return the database of a URL, or the one that is used if none is named.

    Raises:
        ServiceStartError: It is a file that does not exist, or the URL is of a kind that is not supported.
    """
    database = open_database(location or default_database())
    if isinstance(database, SqliteDatabase) and not Path(database.location).exists():
        advice = "name the one of the service (--database), which it prints at its start"
        raise ServiceStartError(f"there is no database {database.location}: {advice}")
    return database


def in_database(location: str | None, work: Callable[[Database], Awaitable[T]], *, may_be_new: bool = False) -> T:
    """Do something with a database, whether a service runs on it or not.

    Args:
        location: Its URL; None is the one that is used if none is named.
        work: What to do.
        may_be_new: Whether to make the database if there is none; otherwise a name that was mistyped is told.

    Raises:
        ClickException: The database does not exist, or cannot be used, or the work refuses.
    """

    async def prepare_and_work() -> T:
        database = open_database(location or default_database()) if may_be_new else existing_database(location)
        try:
            await database.prepare()
            return await work(database)
        finally:
            await database.close()

    try:
        return anyio.run(prepare_and_work)
    except (ServiceStartError, DatabaseUnavailableError, RequestError) as error:
        raise click.ClickException(str(error)) from error


def in_access_store(
    location: str | None, work: Callable[[AccessStore], Awaitable[T]], *, may_be_new: bool = False
) -> T:
    """Do the same with the tokens, applications, device codes and groups of a database."""

    async def work_on_access(database: Database) -> T:
        return await work(AccessStore(database))

    return in_database(location, work_on_access, may_be_new=may_be_new)


def cause(reason: str | None) -> Cause:
    """Return what the history tells of a change that is made on the command line."""
    try:
        user: str | None = getpass.getuser()
    except (ImportError, KeyError, OSError):  # in containers, the user may have no name
        user = None
    return Cause(Author("command_line", user), reason)
