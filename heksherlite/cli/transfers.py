"""Exports of a service, and imports into one, over HTTP."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

import click

from heksherlite.cli.changing import require_consent, require_terminal
from heksherlite.cli.progress import progress, spinner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from heksherlite.admin import ImportResult
    from heksherlite.cli.import_mode import ImportMode
    from heksherlite.cli.services import Service
    from heksherlite.http.transfers import ReadableFile

_SECONDS: Final = 3600.0
"""How long an import waits for its response, which comes when everything is stored."""

_PIECE: Final = 1 << 20
"""The number of bytes that are written at once."""


@contextmanager
def exported_by(service: Service, at: int | datetime | None) -> Iterator[Iterator[bytes]]:
    """Download the export of a service into a temporary file, and yield it in pieces.

    Args:
        service: The service.
        at: The revision or time of the export; None for now.

    Raises:
        click.ClickException: The service does not answer, or refuses the request.
    """
    with TemporaryFile() as copied:
        with service.connect() as admin, spinner("exporting"):
            admin.download_export(copied.write, at=at)
        copied.seek(0)
        yield iter(partial(copied.read, _PIECE), b"")


def import_into(service: Service, file: str, mode: ImportMode) -> ImportResult:
    """Import an export into a service.

    Args:
        service: The service.
        file: The path of the export; ``-`` is the standard input.
        mode: How to import it.

    Returns:
        What was imported, or would be.

    Raises:
        click.ClickException: The export is malformed, or the service does not take it.
        click.UsageError: There is no terminal to ask on.
        click.Abort: The answer is no.
    """

    def send(label: str, *, dry_run: bool, base_revision: str | None = None) -> ImportResult:
        with click.open_file(file, "rb") as lines, service.connect(seconds=_SECONDS) as admin:
            length = None if file == "-" else os.fstat(lines.fileno()).st_size
            with progress(label, length) as advance:
                return admin.import_export(
                    _Counted(lines, advance),
                    replace=mode.replace,
                    dry_run=dry_run,
                    break_glass=mode.break_glass,
                    block_writes=mode.block_writes,
                    base_revision=base_revision,
                    reason=mode.reason or f"import of {file}",
                )

    if mode.dry_run:
        return send("checking", dry_run=True)
    base_revision = None
    if not mode.yes:
        require_terminal()
        if file == "-":
            raise click.UsageError("The answer cannot come from the standard input, which is the export; use --yes.")
        checked = send("checking", dry_run=True)
        with service.connect() as admin:
            present = len(admin.list_settings())
        click.echo(f"{file} has {checked.settings} settings with {checked.rules} rules.", err=True)
        first = (
            f"Delete the {present} settings of {service.url} with their rules, and then import" if present else "Import"
        )
        require_consent(f"{first} {file}?", yes=False)
        base_revision = checked.revision_name
    return send("importing", dry_run=False, base_revision=base_revision)


class _Counted:
    """A file that tells how much was read from it."""

    def __init__(self, file: ReadableFile, advance: Callable[[int], object]) -> None:
        self._file = file
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(size)
        self._advance(len(piece))
        return piece
