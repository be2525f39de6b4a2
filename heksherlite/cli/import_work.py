"""How an export, or a copy of another service, gets into a database."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final

import anyio
import click

from heksherlite.admin import AdminClient
from heksherlite.cli.copying import copy_service
from heksherlite.cli.database import cause
from heksherlite.cli.location import default_database
from heksherlite.cli.progress import progress
from heksherlite.cli.source import admin_client_of, transport_to
from heksherlite.errors import AdminError, ServiceResponseError, ServiceStartError
from heksherlite.http.transport import Transport
from heksherlite.service.domain.authors import Cause
from heksherlite.service.errors import DatabaseUnavailableError, ExportError, NotEmptyError, UnknownOutcomeError
from heksherlite.service.storage.urls import open_database
from heksherlite.service.transfer.importing import import_export
from heksherlite.service.transfer.lines import ExportReader

_NOTHING_CHANGED: Final = "nothing was changed"


def import_file(file: str, database: str | None, *, replace: bool) -> None:
    """Import an export.

    Args:
        file: The path of the export; ``-`` is the standard input.
        database: The URL of the database; None for the default one.
        replace: Whether to delete the existing settings and rules first.

    Raises:
        click.ClickException: The export is malformed, there are settings, or the database cannot be used.
    """
    reason = f"import of {file}"
    with click.open_file(file, "rb") as lines, _errors_in_words():
        length = None if file == "-" else os.fstat(lines.fileno()).st_size
        try:
            _import_lines(lines, length, reason, database, replace=replace)
        except ExportError as error:
            raise click.ClickException(f"{reason}: {error}; {_NOTHING_CHANGED}") from error


def import_service(url: str, token: str | None, headers: Sequence[str], database: str | None, *, replace: bool) -> None:
    """Copy a service.

    Args:
        url: Where the service is.
        token: The token to send, or None.
        headers: Further headers, each ``Name: value``.
        database: The URL of the database; None for the default one.
        replace: Whether to delete the existing settings and rules first.

    Raises:
        click.ClickException: The service cannot be copied, there are settings, or the database cannot be used.
    """
    admin, transport = admin_client_of(url, token, headers), transport_to(url, token, headers)
    reason = f"import from {transport}"
    with TemporaryFile() as copied, _errors_in_words():
        _copy(admin, transport, copied)
        length = copied.tell()
        copied.seek(0)
        try:
            _import_lines(copied, length, reason, database, replace=replace)
        except ExportError as error:
            # The numbers of lines are left out: nobody sees the lines of a copy.
            raise click.ClickException(f"{reason}: {error.reason}; {_NOTHING_CHANGED}") from error


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except NotEmptyError as error:
        raise click.ClickException(f"{error}; --replace would delete them first. {_NOTHING_CHANGED}") from error
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
    lines: Iterable[bytes], length: int | None, reason: str, database: str | None, *, replace: bool
) -> None:
    with progress("importing", length) as advance:
        export = ExportReader(_counted(lines, advance))
        location = anyio.run(partial(_import, export, cause(reason), database or default_database(), replace=replace))
    click.echo(f"Imported {export.settings} settings with {export.rules} rules into {location}")


async def _import(export: ExportReader, cause: Cause, location: str | Path, *, replace: bool) -> str:
    database = open_database(location)
    try:
        await database.prepare()
        await import_export(database, export, cause, replace=replace)
    finally:
        await database.close()
    return database.location


def _counted(lines: Iterable[bytes], advance: Callable[[int], object]) -> Iterator[bytes]:
    for line in lines:
        yield line
        advance(len(line))
