"""``heksherlite history`` and ``revert``: what was changed, and how to undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heksherlite.cli.arguments import parse_time
from heksherlite.cli.changing import dry_run_option, reason_option, require_consent, yes_option
from heksherlite.cli.completion import complete_settings
from heksherlite.cli.differences import change_text, show_changes
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, plain, print_one, print_rows
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heksherlite.admin import Author, Record


class _ListingGroup(CommandGroup):
    """A group whose command ``list`` need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListingGroup)
def history() -> None:
    """Look at what was changed, by whom, and why.

    Without another command, this lists the latest changes, and heksherlite history NAME those of a setting.
    """


@history.command(name="list")
@click.argument("name", required=False, shell_complete=complete_settings)
@click.option("--author", metavar="NAME", help="Only changes by this token or person.")
@click.option("--since", metavar="TIME", help="Only changes at or after this time: in UTC, or 2h for two hours ago.")
@click.option("--until", metavar="TIME", help="Only changes before this time: in UTC, or 2h for two hours ago.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The maximum number of changes."
)
@output_option
@service_options
def list_(
    name: str | None,
    author: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    output: FORMATS,
    service: Service,
) -> None:
    """List changes, the newest first; with NAME, those of this setting and its rules."""
    after, before = parse_time(since, "--since"), parse_time(until, "--until")
    with service.connect() as admin:
        records = admin.history(setting=name, author=author, since=after, until=before, limit=limit).records
    rows = plain(records)
    if output == "table":
        for row, record in zip(rows, records, strict=True):
            row["by"] = author_text(record.author)
            row["what"] = _summary(record)
            row["time"] = f"{record.time:%Y-%m-%d %H:%M:%S}"
    columns = {"REVISION": "revision", "TIME (UTC)": "time", "BY": "by", "WHAT": "what", "REASON": "reason"}
    print_rows(output, rows, columns)


@history.command()
@click.argument("revision", type=click.IntRange(0))
@output_option
@service_options
def show(revision: int, output: FORMATS, service: Service) -> None:
    """Show all changes of a REVISION."""
    with service.connect() as admin:
        record = admin.record(revision)
    print_one(output, record, lambda: "\n".join(_description(record)))


@click.command()
@click.argument("revision", type=click.IntRange(0))
@yes_option
@dry_run_option
@reason_option
@output_option
@service_options
def revert(revision: int, yes: bool, dry_run: bool, reason: str | None, output: FORMATS, service: Service) -> None:
    """Revert all changes of a REVISION with a new change."""
    with service.connect() as admin:
        record = admin.record(revision)
        when = f"{record.time:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(f"This takes back what {author_text(record.author)} did at {when}:", err=True)
        show_changes(record.changes)
        admin.revert(revision, dry_run=True)  # which raises an error that lists the conflicts
        if dry_run:
            dry = {"revision": None, "reverted": record}
            print_one(output, dry, lambda: "Nothing was changed: this was a dry run.")
            return
        require_consent("Revert this change?", yes=yes)
        reverted = admin.revert(revision, reason=reason)
    print_one(output, {"revision": reverted, "reverted": record}, lambda: f"Reverted in revision {reverted}.")


def author_text(author: Author) -> str:
    """Return an author in words."""
    return f"{author.kind.replace('_', ' ')} {author.name}" if author.name else author.kind.replace("_", " ")


def _summary(record: Record) -> str:
    if len(record.changes) == 1:
        return change_text(record.changes[0])
    settings = sorted({change.setting for change in record.changes if change.setting})
    of = f" of {', '.join(settings[:3])}{' and others' if len(settings) > 3 else ''}" if settings else ""
    return f"{record.change_count} changes{of}"


def _description(record: Record) -> Iterator[str]:
    yield f"revision {record.revision}, {record.time:%Y-%m-%d %H:%M:%S} UTC, by {author_text(record.author)}"
    if record.reason:
        yield f"reason: {record.reason}"
    if record.reverts is not None:
        yield f"reverts revision {record.reverts}"
    if record.break_glass:
        yield "ignored the protection of settings"
    yield from (change_text(change) for change in record.changes)
