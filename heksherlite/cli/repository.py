"""``heksherlite validate``, ``plan`` and ``apply``: settings in files that a team keeps in a repository."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click
import orjson

from heksherlite.cli.changing import dry_run_option, reason_option, require_consent, yes_option
from heksherlite.cli.differences import show_impact
from heksherlite.cli.garbage import without_collections
from heksherlite.cli.output import FORMATS, output_option, print_one
from heksherlite.cli.progress import spinner
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heksherlite.admin import AdminClient
    from heksherlite.cli.planning import Plan
    from heksherlite.cli.settings_files import WantedSetting
    from heksherlite.cli.settings_parsing import FileFault

_SIGNS: Final = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "delete": ("-", "red"),
    "drift": ("!", "magenta"),
    "extra": ("?", "cyan"),
}
_MOST_LINES: Final = 200
_POLL_SECONDS: Final = 1.0

_FILES: Final = click.argument("files", metavar="FILES...", nargs=-1, required=True)
_PRUNE: Final = click.option("--prune", is_flag=True, help="Delete the rules and defaults that the files do not have.")
_FORCE: Final = click.option("--force", is_flag=True, help="Overwrite what other owners or people have changed.")
_WAIT: Final = click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0,
    help="How long to wait for programs to declare settings that do not exist yet. By default not at all.",
)
_EXIT_CODE: Final = click.option(
    "--exit-code", is_flag=True, help="Exit with status 2 if the service and the files differ."
)


def _comparison_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return _PRUNE(_FORCE(_WAIT(_EXIT_CODE(command))))


@click.command()
@click.argument("files", metavar="FILES...", nargs=-1)
@click.option("--online", is_flag=True, help="Ask the service too: whether names, conditions, types and schemas fit.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "github"]),
    default="text",
    show_default=True,
    help="How to print faults: for people, or as annotations that GitHub shows in a review.",
)
@click.option(
    "--print-schema", is_flag=True, help="Print the JSON Schema of the files, for editors, and do nothing else."
)
@output_option
@service_options
@without_collections()
def validate(
    files: Sequence[str], *, online: bool, format_: str, print_schema: bool, output: FORMATS, service: Service
) -> None:
    """Check files with settings, and report all faults at once.

    FILES are YAML, JSON or TOML files, or folders with such files.
    """
    from heksherlite.cli.settings_files import SCHEMA

    if print_schema:
        click.echo(orjson.dumps(SCHEMA, option=orjson.OPT_INDENT_2))
        return
    if not files:
        raise click.UsageError("Missing argument 'FILES...'.")
    try:
        wanted = _read(files, format_)
        if online:
            with service.connect() as admin:
                made = _compare(admin, wanted, prune=False, force=True, wait=0, format_=format_)
                _send(admin, made, dry_run=True, format_=format_)
    except FaultyFilesError as error:
        if output != "table":
            faults = [{**fault.place._asdict(), "message": fault.message} for fault in error.faults]
            print_one(output, {"settings": None, "faults": faults}, str)
        raise
    text = f"{len(wanted)} {'setting is' if len(wanted) == 1 else 'settings are'} valid."
    print_one(output, {"settings": len(wanted), "faults": []}, lambda: text)


@click.command()
@_FILES
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan to a file that heksherlite apply takes. The file contains values of settings.",
)
@_comparison_options
@output_option
@service_options
@without_collections()
def plan(
    files: Sequence[str],
    *,
    out: Path | None,
    prune: bool,
    force: bool,
    wait: float,
    exit_code: bool,
    output: FORMATS,
    service: Service,
) -> None:
    """Show what heksherlite apply would do, and change nothing.

    FILES are YAML, JSON or TOML files, or folders with such files. Lines with ! are left alone because somebody else
    has changed them, and lines with ? because the files do not have them.
    """
    from heksherlite.cli.saved_plans import save_plan

    wanted = _read(files)
    with service.connect() as admin:
        made = _compare(admin, wanted, prune=prune, force=force, wait=wait)
        _send(admin, made, dry_run=True)
    _show(made)
    if out is not None:
        save_plan(made, out)
    print_one(output, _described(made), made.summary)
    if exit_code and made.differs:
        click.get_current_context().exit(2)


@click.command()
@_FILES
@_comparison_options
@click.option(
    "--write-back",
    is_flag=True,
    help="Afterwards, write into the files what others have changed and what the files do not have. Comments and the"
    " order are kept. The files must be YAML.",
)
@yes_option
@dry_run_option
@reason_option
@output_option
@service_options
@without_collections()
def apply(
    files: Sequence[str],
    *,
    prune: bool,
    force: bool,
    wait: float,
    exit_code: bool,
    write_back: bool,
    yes: bool,
    dry_run: bool,
    reason: str | None,
    output: FORMATS,
    service: Service,
) -> None:
    """Make the settings of a service those of the files, in one change.

    FILES are YAML, JSON or TOML files, or folders with such files, or one file of heksherlite plan --out. Such a plan
    is applied exactly, or refused if somebody has changed what it touches.
    """
    from heksherlite.cli.saved_plans import read_plan

    saved = read_plan(files)
    wanted = [] if saved is not None else _read(files)
    if write_back:
        _require_yaml(wanted)
    with service.connect() as admin:
        made = _compare(admin, wanted, prune=prune, force=force, wait=wait) if saved is None else saved
        revision = _apply(admin, made, yes=yes, dry_run=dry_run, reason=reason)
        written = _write_back(admin, wanted) if write_back and not dry_run else []
    text = "Nothing was changed." if revision is None else f"Changed in revision {revision}."
    if dry_run:
        text = "Nothing was changed: this was a dry run."
    summary = "" if saved is not None else f" {made.summary()}"
    print_one(output, {**_described(made), "revision": revision, "written": written}, lambda: text + summary)
    if exit_code and not write_back and any(item.step in {"drift", "extra"} for item in made.items):
        click.get_current_context().exit(2)


def _require_yaml(wanted: Sequence[WantedSetting]) -> None:
    """Refuse to write into other files before anything is changed."""
    if not wanted:
        raise click.UsageError("--write-back needs files with settings, not a plan.")
    for setting in wanted:
        if Path(setting.place.file).suffix not in {".yaml", ".yml"}:
            raise click.UsageError(f"--write-back writes YAML files only, and {setting.place.file} is none.")


def _write_back(admin: AdminClient, wanted: Sequence[WantedSetting]) -> list[str]:
    """Write into the files what the service has now, and return the names of those that became others."""
    from heksherlite.cli.planning import read_stored
    from heksherlite.cli.settings_update import update_file

    stored, _ = read_stored(admin, [setting.name for setting in wanted])
    by_file: dict[str, list[WantedSetting]] = {}
    for setting in wanted:
        by_file.setdefault(setting.place.file, []).append(setting)
    written = []
    for file, settings in by_file.items():
        if update_file(Path(file), settings, {setting.name: stored[setting.name] for setting in settings}):
            click.echo(f"Wrote {file}.", err=True)
            written.append(file)
    return written


def _read(files: Sequence[str], format_: str = "text") -> list[WantedSetting]:
    from heksherlite.cli.settings_files import SettingsFilesError, read_settings_files

    try:
        return read_settings_files(files)
    except SettingsFilesError as error:
        raise FaultyFilesError(error.faults, format_) from None


def _compare(
    admin: AdminClient, wanted: Sequence[WantedSetting], *, prune: bool, force: bool, wait: float, format_: str = "text"
) -> Plan:
    """Compare files with a service."""
    from heksherlite.cli.planning import make_plan, missing_faults, read_stored

    deadline = time.monotonic() + wait
    with spinner("comparing"):
        while True:
            base_revision = admin.change((), dry_run=True).revision_name
            stored, present = read_stored(admin, [each.name for each in wanted])
            faults = missing_faults(wanted, stored, present)
            if not faults:
                break
            if time.monotonic() >= deadline:
                raise FaultyFilesError(faults, format_)
            time.sleep(_POLL_SECONDS)
        return make_plan(wanted, stored, base_revision=base_revision, prune=prune, force=force)


def _apply(admin: AdminClient, made: Plan, *, yes: bool, dry_run: bool, reason: str | None) -> int | None:
    """Show a plan and make its operations. Return the revision, or None if nothing changes.

    If nobody is asked, the service decides the operations once, and what they did is shown afterwards.
    """
    if yes and not dry_run:
        _send(admin, made, dry_run=False, reason=reason)
        _show(made)
    else:
        _send(admin, made, dry_run=True)
        _show(made)
        if dry_run or made.result is None or not made.result.changes:
            return None
        require_consent("Make this change?", yes=yes)
        _send(admin, made, dry_run=False, reason=reason)
    return made.result.revision if made.result is not None and made.result.changes else None


def _send(admin: AdminClient, made: Plan, *, dry_run: bool, reason: str | None = None, format_: str = "text") -> None:
    """Send the operations of a plan. What the service refuses is reported by its places in the files."""
    from heksherlite.cli.settings_parsing import FileFault
    from heksherlite.errors import ChangeConflictsError

    if not made.operations:
        return
    try:
        with spinner("comparing" if dry_run else "applying"):
            made.result = admin.change(
                made.operations, dry_run=dry_run, base_revision=made.base_revision, reason=reason
            )
    except ChangeConflictsError as error:
        if not made.places:  # of a saved plan
            raise
        places = [made.places[each.operation or 0] for each in error.conflicts]
        faults = [FileFault(place, each.reason) for place, each in zip(places, error.conflicts, strict=True)]
        raise FaultyFilesError(faults, format_) from None


def _show(made: Plan) -> None:
    """Print what happens, and whose values change."""
    for item in made.items[:_MOST_LINES]:
        sign, color = _SIGNS[item.step]
        click.secho(f"  {sign} {item}", fg=color, err=True)
    if len(made.items) > _MOST_LINES:
        click.echo(f"    and {len(made.items) - _MOST_LINES} more", err=True)
    if made.result is not None and made.result.changes:
        show_impact(made.result.impact)


def _described(made: Plan) -> dict[str, Any]:
    return {"base_revision": made.base_revision, "items": made.items, "operations": made.operations}


class FaultyFilesError(click.ClickException):
    """Files are malformed, or the service would refuse them.

    Args:
        faults: Everything that is wrong.
        format_: How to print the faults.
    """

    def __init__(self, faults: Sequence[FileFault], format_: str) -> None:
        super().__init__(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'} in the files.")
        self.faults = faults
        self.format = format_

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the faults and their number."""
        for fault in self.faults:
            is_annotation = self.format == "github"
            click.echo(fault.as_annotation() if is_annotation else str(fault), err=not is_annotation)
        super().show(file)
