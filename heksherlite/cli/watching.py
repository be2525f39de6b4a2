"""``heksherlite watch``: changes as they happen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from heksherlite.cli.completion import complete_settings
from heksherlite.cli.differences import change_text
from heksherlite.cli.output import FORMATS, output_option, print_one
from heksherlite.cli.records import author_text
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heksherlite.admin import Record


class _EnoughError(Exception):
    """As many changes as were asked for have been printed."""


@click.command()
@click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=complete_settings)
@click.option("--count", type=click.IntRange(1), help="Exit after this number of changes. By default, Ctrl-C ends it.")
@output_option
@service_options
def watch(names: Sequence[str], count: int | None, output: FORMATS, service: Service) -> None:
    """Print changes as they happen: of the settings with these NAMES, or of everything.

    The command stays connected to the service, and connects again if it has to. Each change is one document of the
    output; -o jsonl prints it in one line.
    """
    printed = 0

    def take(record: Record) -> None:
        nonlocal printed
        if output == "yaml":
            click.echo("---")
        print_one(output, record, lambda: "\n".join(_lines(record, names)))
        sys.stdout.flush()
        printed += 1
        if printed == count:
            raise _EnoughError

    if sys.stderr.isatty():
        click.echo(f"Watching {', '.join(names) or 'all settings'}. Ctrl-C ends it.", err=True)
    with service.connect() as admin:
        try:
            admin.watch(take, names or None)
        except _EnoughError:
            return


def _lines(record: Record, names: Sequence[str]) -> Iterator[str]:
    reason = f" ({record.reason})" if record.reason else ""
    yield f"{record.time:%Y-%m-%d %H:%M:%S} revision {record.revision}, {author_text(record.author)}{reason}"
    shown = [change for change in record.changes if not names or change.setting in names] or record.changes
    for change in shown[:20]:
        yield f"  {change_text(change)}"
    if record.change_count > 20:
        yield f"  {record.change_count} changes in all; heksherlite history show {record.revision} lists them"
