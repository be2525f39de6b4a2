"""``heksherlite validate``, ``plan``, ``apply`` and ``dump``: settings in files that a team keeps in a repository."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from heksherlite.cli.arguments import matches, operations_in, parse_time
from heksherlite.cli.changing import reason_option, require_consent, yes_option
from heksherlite.cli.differences import show_impact
from heksherlite.cli.output import FORMATS, output_option, plain, print_one
from heksherlite.cli.services import Service, service_options
from heksherlite.names import PLAN_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from heksherlite.admin import AdminClient, AnyOperation
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
@service_options
def validate(files: Sequence[str], *, online: bool, format_: str, print_schema: bool, service: Service) -> None:
    """Check files with settings, and report all faults at once.

    FILES are YAML, JSON or TOML files, or folders with such files.
    """
    from heksherlite.cli.settings_files import SCHEMA

    if print_schema:
        click.echo(orjson.dumps(SCHEMA, option=orjson.OPT_INDENT_2))
        return
    if not files:
        raise click.UsageError("Missing argument 'FILES...'.")
    wanted = _read(files, format_)
    if online:
        with service.connect() as admin:
            _plan(admin, wanted, prune=False, force=True, wait=0, format_=format_)
    click.echo(f"{len(wanted)} {'setting is' if len(wanted) == 1 else 'settings are'} valid.")


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
    wanted = _read(files)
    with service.connect() as admin:
        made = _plan(admin, wanted, prune=prune, force=force, wait=wait)
        _show(made)
        _preview(admin, made.operations, made.base_revision)
    if out is not None:
        saved = {
            "format": PLAN_FORMAT,
            "version": 1,
            "base_revision": made.base_revision,
            "base_time": plain(made.base_time),
            "operations": [operation.as_json() for operation in made.operations],
        }
        try:
            out.write_bytes(orjson.dumps(saved, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise click.ClickException(f"cannot write {out}: {error.strerror}") from error
    print_one(output, _described(made), made.summary)
    if exit_code and made.differs:
        click.get_current_context().exit(2)


@click.command()
@_FILES
@_comparison_options
@yes_option
@reason_option
@output_option
@service_options
def apply(
    files: Sequence[str],
    *,
    prune: bool,
    force: bool,
    wait: float,
    exit_code: bool,
    yes: bool,
    reason: str | None,
    output: FORMATS,
    service: Service,
) -> None:
    """Make the settings of a service those of the files, in one change.

    FILES are YAML, JSON or TOML files, or folders with such files, or one file of heksherlite plan --out. Such a plan
    is applied exactly, or refused if somebody has changed what it touches.
    """
    saved = _saved_plan(files)
    with service.connect() as admin:
        if saved is not None:
            _require_same_history(admin, saved)
            made = saved
        else:
            made = _plan(admin, _read(files), prune=prune, force=force, wait=wait)
            _show(made)
        revision = None
        if made.operations and _preview(admin, made.operations, made.base_revision):
            require_consent("Make this change?", yes=yes)
            changed = admin.change(made.operations, base_revision=made.base_revision, reason=reason)
            revision = changed.revision
    text = "Nothing was changed." if revision is None else f"Changed in revision {revision}."
    summary = "" if saved is not None else f" {made.summary()}"
    print_one(output, {**_described(made), "revision": revision}, lambda: text + summary)
    if exit_code and any(item.step in {"drift", "extra"} for item in made.items):
        click.get_current_context().exit(2)


@click.command()
@click.argument("pattern", default="*")
@click.option("--owner", required=True, help="The owner that the files name, such as a team.")
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. By default the standard output.",
)
@service_options
def dump(pattern: str, owner: str, file: Path | None, service: Service) -> None:
    """Write a file with the settings of a service, so that a repository can begin with it.

    PATTERN selects settings by name: the part of a name, or a pattern such as shop.*.
    """
    from heksherlite.cli.planning import read_stored
    from heksherlite.cli.settings_dump import dumped

    with service.connect() as admin:
        names = [each.name for each in admin.list_settings() if matches(each.name, pattern)]
        if not names:
            raise click.ClickException(f"the service has no setting that matches {pattern!r}")
        stored, _ = read_stored(admin, names)
    text = dumped(owner, stored)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"Wrote {len(stored)} settings to {file}.", err=True)


def _read(files: Sequence[str], format_: str = "text") -> list[WantedSetting]:
    from heksherlite.cli.settings_files import SettingsFilesError, read_settings_files

    try:
        with _without_collections():
            return read_settings_files(files)
    except SettingsFilesError as error:
        raise _faulty(error.faults, format_) from None


@contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage meanwhile. All that is read is kept, and collections take half of the time of large files."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _plan(
    admin: AdminClient, wanted: Sequence[WantedSetting], *, prune: bool, force: bool, wait: float, format_: str = "text"
) -> Plan:
    """Compare files with a service. What the service would refuse is reported by its places in the files."""
    from heksherlite.cli.planning import make_plan, missing_faults, read_stored
    from heksherlite.cli.settings_parsing import FileFault
    from heksherlite.errors import ChangeConflictsError

    deadline = time.monotonic() + wait
    while True:
        records = admin.history(limit=1).records
        with _without_collections():
            stored, present = read_stored(admin, [each.name for each in wanted])
        faults = missing_faults(wanted, stored, present)
        if not faults:
            break
        if time.monotonic() >= deadline:
            raise _faulty(faults, format_)
        time.sleep(_POLL_SECONDS)
    base_revision = records[0].revision if records else 0
    made = make_plan(wanted, stored, base_revision=base_revision, prune=prune, force=force)
    made.base_time = records[0].time if records else None
    try:
        if made.operations:
            admin.change(made.operations, dry_run=True, base_revision=base_revision)
    except ChangeConflictsError as error:
        places = [made.places[each.operation or 0] for each in error.conflicts]
        faults = [FileFault(place, each.reason) for place, each in zip(places, error.conflicts, strict=True)]
        raise _faulty(faults, format_) from None
    return made


def _preview(admin: AdminClient, operations: Sequence[AnyOperation], base_revision: int) -> bool:
    """Show whose values change, and return whether anything changes."""
    if not operations:
        return False
    preview = admin.change(operations, dry_run=True, base_revision=base_revision)
    if preview.changes:
        show_impact(preview.impact)
    return bool(preview.changes)


def _show(made: Plan) -> None:
    for item in made.items[:_MOST_LINES]:
        sign, color = _SIGNS[item.step]
        click.secho(f"  {sign} {item}", fg=color, err=True)
    if len(made.items) > _MOST_LINES:
        click.echo(f"    and {len(made.items) - _MOST_LINES} more", err=True)


def _described(made: Plan) -> dict[str, Any]:
    return {"base_revision": made.base_revision, "items": plain(made.items), "operations": plain(made.operations)}


def _saved_plan(files: Sequence[str]) -> Plan | None:
    """Return a saved plan, whatever its file is called, or None if the files are not one."""
    from heksherlite.cli.planning import Plan

    for name in files:
        if Path(name).suffix in {".yaml", ".yml", ".toml"}:
            continue
        try:
            content = orjson.loads(Path(name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and content.get("format") == PLAN_FORMAT:
            if len(files) > 1:
                raise click.UsageError(f"{name} is a plan; apply it alone.")
            known = content.get("version") == 1 and isinstance(content.get("base_revision"), int)
            if not known or not isinstance(content.get("base_time", 0), str | None):
                raise click.ClickException(f"{name} is a plan of another version of heksherlite; make it again")
            base_time = parse_time(content["base_time"], "base_time")
            return Plan(content["base_revision"], base_time, operations=operations_in(content.get("operations")))
    return None


def _require_same_history(admin: AdminClient, saved: Plan) -> None:
    """Refuse a plan that was made with another service, or with a database that has been replaced since.

    Revisions and ids of rules are numbers, which mean something else there.
    """
    from heksherlite.errors import RequestRefusedError

    base_time: datetime | None = None
    try:
        base_time = admin.record(saved.base_revision).time
    except RequestRefusedError as error:
        if error.status != 404:
            raise
    if base_time != saved.base_time:
        raise click.ClickException(
            f"the plan was made with another service: revision {saved.base_revision} of this one is not the one that"
            " the plan was made for. Make the plan again with this service"
        )


def _faulty(faults: Sequence[FileFault], format_: str) -> SystemExit:
    """Print faults, and return the end of the command."""
    for fault in faults:
        click.echo(fault.as_annotation() if format_ == "github" else str(fault), err=format_ != "github")
    click.echo(f"Error: {len(faults)} {'fault' if len(faults) == 1 else 'faults'} in the files.", err=True)
    return SystemExit(1)
