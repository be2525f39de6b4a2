"""``heksherlite import``: put what a service has, or an export of it, into a database."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final

import anyio
import click

from heksherlite.cli.copying import copy_service
from heksherlite.cli.database import cause
from heksherlite.cli.location import database_option, default_database
from heksherlite.cli.progress import progress
from heksherlite.cli.source import header_option, parsed_headers, transport_to
from heksherlite.errors import ServiceResponseError, ServiceStartError
from heksherlite.http.transport import Transport
from heksherlite.service.domain.history import Cause
from heksherlite.service.errors import DatabaseUnavailableError, ExportError, NotEmptyError, UnknownOutcomeError
from heksherlite.service.storage.urls import open_database
from heksherlite.service.transfer.importing import import_export
from heksherlite.service.transfer.lines import ExportReader

_NOTHING_CHANGED: Final = "nothing was changed"


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--from-url", metavar="URL", help="Copy from this service instead of a file: ours, or any with the v1 API."
)
@header_option
@click.option(
    "--token",
    envvar="HEKSHER_TOKEN",
    show_envvar=True,
    prompt="Token of the service",
    prompt_required=False,
    hide_input=True,
    help="The token for --from-url, with scope read. Without a value it is asked for: on the command line, other users"
    " of the machine would see it.",
)
@click.option(
    "--replace", is_flag=True, help="Delete the settings and rules that there are; otherwise there must be none."
)
@database_option
def import_(
    *,
    file: str | None,
    from_url: str | None,
    headers: Sequence[str],
    token: str | None,
    replace: bool,
    database: str | None,
) -> None:
    """Put the settings, rules and context features of FILE into a database, all of them or none.

    FILE is what heksherlite export wrote without a URL; - is the standard input. Services on the database, running or
    not, notice this like any other change.
    """
    if (file is None) == (from_url is None):
        raise click.UsageError("Give either FILE or --from-url.")
    try:
        if from_url is None:
            _import_file(str(file), database, replace=replace)
        else:
            credentials = [] if token is None else [("Authorization", f"Bearer {token}")]
            transport = transport_to(from_url, [*parsed_headers(headers), *credentials])
            _import_service(transport, database, replace=replace)
    except NotEmptyError as error:
        raise click.ClickException(f"{error}; --replace would delete them first. {_NOTHING_CHANGED}") from error
    except UnknownOutcomeError as error:
        raise click.ClickException(
            f"the connection was lost at the very end, so that all of it was imported, or nothing: {error}"
        ) from error
    except (ServiceStartError, DatabaseUnavailableError) as error:
        raise click.ClickException(f"{error}; {_NOTHING_CHANGED}") from error


def _import_file(file: str, database: str | None, *, replace: bool) -> None:
    reason = f"import of {file}"
    with click.open_file(file, "rb") as lines:
        length = None if file == "-" else os.fstat(lines.fileno()).st_size
        try:
            _put(lines, length, reason, database, replace=replace)
        except ExportError as error:
            raise click.ClickException(f"{reason}: {error}; {_NOTHING_CHANGED}") from error


def _import_service(transport: Transport, database: str | None, *, replace: bool) -> None:
    reason = f"import from {transport}"
    with TemporaryFile() as copied:
        anyio.run(_copy, transport, copied)
        length = copied.tell()
        copied.seek(0)
        try:
            _put(copied, length, reason, database, replace=replace)
        except ExportError as error:
            # Nobody sees the lines.
            raise click.ClickException(f"{reason}: {error.reason}; {_NOTHING_CHANGED}") from error


async def _copy(transport: Transport, copied: BinaryIO) -> None:
    try:
        await copy_service(transport, copied)
    except ServiceResponseError as error:
        raise click.ClickException(f"cannot copy {transport}: {error}; {_NOTHING_CHANGED}") from error
    finally:
        await transport.aclose()


def _put(lines: Iterable[bytes], length: int | None, reason: str, database: str | None, *, replace: bool) -> None:
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
