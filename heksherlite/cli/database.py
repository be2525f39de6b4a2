"""How a command works on a database, whether a service runs on it or not."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import anyio
import click

from heksherlite.cli.location import default_database
from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.audit import AuditRecord
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.errors import DatabaseUnavailableError, RequestError
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.audit import AuditLog, AuditSearch
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from heksherlite.service.storage.writing import Writer

T = TypeVar("T")


def existing_database(location: str | None) -> Database:
    """Return the database at a URL.

    Args:
        location: The URL; None for the default database.

    Raises:
        ServiceStartError: The database is a file that does not exist, or the URL has an unknown scheme.
    """
    database = open_database(location or default_database())
    if is_missing(database):
        raise ServiceStartError(
            f"there is no database {database.location}; give the one of the service by --database, or the service"
            " itself by --url. The service prints its database when it starts"
        )
    return database


def is_missing(database: Database) -> bool:
    """Return whether a database is a file that does not exist."""
    return isinstance(database, SqliteDatabase) and not Path(database.location).exists()


def in_access_store(
    location: str | None, work: Callable[[AccessStore], Awaitable[T]], *, may_be_new: bool = False
) -> T:
    """Work on the tokens, applications, device codes and groups of a database, and return the result.

    Args:
        location: The URL of the database; None for the default one.
        work: What to do.
        may_be_new: Whether to create the database if it does not exist. Otherwise that is an error, because the URL
            may have a typing error.

    Raises:
        click.ClickException: The database does not exist or cannot be used, or it refuses the work.
    """

    async def prepare_and_work() -> T:
        database = open_database(location or default_database()) if may_be_new else existing_database(location)
        try:
            await database.prepare()
            return await work(AccessStore(database))
        finally:
            await database.close()

    try:
        return anyio.run(prepare_and_work)
    except (ServiceStartError, DatabaseUnavailableError, RequestError) as error:
        raise click.ClickException(str(error)) from error


def in_store(location: str | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Work on the settings of a database, and return the result.

    Args:
        location: The URL of the database; None for the default one.
        work: What to do with the loaded store.

    Raises:
        click.ClickException: The database does not exist or cannot be used, or it refuses the work.
    """

    async def load_and_work() -> T:
        database = existing_database(location)
        store = Store(database)
        try:
            await database.prepare()
            await store.load()
            return await work(store)
        finally:
            await store.close()

    try:
        return anyio.run(load_and_work)
    except (ServiceStartError, DatabaseUnavailableError, RequestError) as error:
        raise click.ClickException(str(error)) from error


def in_audit_log(location: str | None, search: AuditSearch, *, at_once: int) -> Sequence[Sequence[AuditRecord]]:
    """Return the records of the audit record of a database, oldest first, in portions.

    Args:
        location: The URL of the database; None for the default one.
        search: Which records.
        at_once: The size of a portion.

    Raises:
        click.ClickException: The database does not exist or cannot be used.
    """

    async def read() -> list[Sequence[AuditRecord]]:
        database = existing_database(location)
        try:
            await database.prepare()
            log, wanted, portions = AuditLog(database, Writer(database)), search, list[Sequence[AuditRecord]]()
            while records := await log.search(wanted, limit=at_once, oldest_first=True):
                portions.append(records)
                wanted = replace(wanted, after=records[-1].id)
            return portions
        finally:
            await database.close()

    try:
        return anyio.run(read)
    except (ServiceStartError, DatabaseUnavailableError) as error:
        raise click.ClickException(str(error)) from error


def cause(reason: str | None) -> Cause:
    """Return what the history records about a change on the command line."""
    try:
        user: str | None = getpass.getuser()
    except (ImportError, KeyError, OSError):  # in a container, the user may have no name
        user = None
    return Cause(Author("command_line", user, id=user), reason)
