"""How an export, or a copy of another service, gets into a database."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from tempfile import TemporaryFile
from typing import BinaryIO, Final

import anyio
import click

from heksherlite.admin import AdminClient, ImportResult
from heksherlite.cli.copying import copy_service
from heksherlite.cli.database import cause, is_missing
from heksherlite.cli.import_mode import ImportMode
from heksherlite.cli.location import default_database
from heksherlite.cli.progress import progress
from heksherlite.cli.source import admin_client_of, transport_to
from heksherlite.errors import AdminError, ServiceResponseError, ServiceStartError
from heksherlite.http.transport import Transport
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.errors import (
    DatabaseUnavailableError,
    ExportError,
    NotEmptyError,
    TakesTooLongError,
    UnknownOutcomeError,
)
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.rows import read_catalog
from heksherlite.service.storage.urls import open_database
from heksherlite.service.transfer.importing import (
    SECONDS_OTHERS_WAIT,
    ImportPolicy,
    check_export,
    import_export,
    writing_to,
)
from heksherlite.service.transfer.lines import ExportReader

_NOTHING_CHANGED: Final = "nothing was changed"


def import_file(file: str, database: str | None, mode: ImportMode) -> tuple[ImportResult, str]:
    """Import an export.

    Args:
        file: The path of the export; ``-`` is the standard input.
        database: The URL of the database; None for the default one.
        mode: How to import it.

    Returns:
        What was imported, or would be, and the location of the database.

    Raises:
        click.ClickException: The export is malformed, there are settings, or the database cannot be used.
    """
    what = f"import of {file}"
    with click.open_file(file, "rb") as lines, _errors_in_words():
        length = None if file == "-" else os.fstat(lines.fileno()).st_size
        try:
            return _import_lines(lines, length, mode.reason or what, database, mode)
        except ExportError as error:
            raise click.ClickException(f"{what}: {error}; {_NOTHING_CHANGED}") from error


def import_service(
    url: str, token: str | None, headers: Sequence[str], database: str | None, mode: ImportMode
) -> tuple[ImportResult, str]:
    """Copy a service.

    Args:
        url: Where the service is.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.
        database: The URL of the database; None for the default one.
        mode: How to import it.

    Returns:
        What was imported, or would be, and the location of the database.

    Raises:
        click.ClickException: The service cannot be copied, there are settings, or the database cannot be used.
    """
    admin, transport = admin_client_of(url, token, headers), transport_to(url, token, headers)
    what = f"import from {transport}"
    with TemporaryFile() as copied, _errors_in_words():
        _copy(admin, transport, copied)
        length = copied.tell()
        copied.seek(0)
        try:
            return _import_lines(copied, length, mode.reason or what, database, mode)
        except ExportError as error:
            # The numbers of lines are left out: nobody sees the lines of a copy.
            raise click.ClickException(f"{what}: {error.reason}; {_NOTHING_CHANGED}") from error


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except NotEmptyError as error:
        raise click.ClickException(f"{error}; --replace would delete them first. {_NOTHING_CHANGED}") from error
    except TakesTooLongError as error:
        raise click.ClickException(
            f"{error}, while services use the database. Stop them first, or let them wait with --block-writes."
            f" {_NOTHING_CHANGED}"
        ) from error
    except UnknownOutcomeError as error:
        raise click.ClickException(
            f"the connection was lost at the very end, so either everything or nothing was imported: {error}"
        ) from error
    except (ServiceStartError, DatabaseUnavailableError) as error:
        raise click.ClickException(f"{error}; {_NOTHING_CHANGED}") from error


def _copy(admin: AdminClient, transport: Transport, copied: BinaryIO) -> None:
    try:
        with admin:
            copy_service(admin, transport, copied)
    except (AdminError, ServiceResponseError) as error:
        raise click.ClickException(f"cannot copy {transport}: {error}; {_NOTHING_CHANGED}") from error


def _import_lines(
    lines: Iterable[bytes], length: int | None, reason: str, database: str | None, mode: ImportMode
) -> tuple[ImportResult, str]:
    policy = ImportPolicy(replace=mode.replace, max_seconds=None if mode.block_writes else SECONDS_OTHERS_WAIT)
    with progress("checking" if mode.dry_run else "importing", length) as advance:
        export = ExportReader(_counted(lines, advance))
        opened = open_database(database or default_database())
        revision = anyio.run(partial(_check if mode.dry_run else _import, opened, export, cause(reason), policy))
    result = ImportResult(
        settings=export.settings, rules=export.rules, revision=revision.number, revision_name=str(revision)
    )
    return result, opened.location


async def _import(database: Database, export: ExportReader, cause: Cause, policy: ImportPolicy) -> RevisionId:
    try:
        if not await database.has_other_users():
            policy = replace(policy, max_seconds=None)
        await database.prepare()
        return await import_export(writing_to(database), export, cause, policy, now=database.now())
    finally:
        await database.close()


async def _check(database: Database, export: ExportReader, _cause: Cause, policy: ImportPolicy) -> RevisionId:
    catalog = Catalog(Counters(database_id=""))
    if not is_missing(database):
        try:
            await database.prepare()
            async with database.reading() as connection:
                catalog = await read_catalog(connection)
        finally:
            await database.close()
    check_export(catalog, export, policy)
    return catalog.counters.revision_id


def _counted(lines: Iterable[bytes], advance: Callable[[int], object]) -> Iterator[bytes]:
    for line in lines:
        yield line
        advance(len(line))
