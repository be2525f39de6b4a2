"""``heksherlite dump``: the settings of a service as a file for a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import orjson

from heksherlite.cli.arguments import matches
from heksherlite.cli.completion import complete_settings
from heksherlite.cli.garbage import without_collections
from heksherlite.cli.progress import spinner
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heksherlite.cli.planning import StoredSetting


@click.command()
@click.argument("pattern", default="*", shell_complete=complete_settings)
@click.option(
    "--owner", help="The owner that the file names, such as a team. An existing file that is updated has one already."
)
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The YAML file to write. If it exists, it is updated, and its comments and its order are kept. By default the"
    " standard output.",
)
@click.option(
    "-o",
    "output",
    type=click.Choice(["yaml", "json", "jsonl"]),
    default="yaml",
    show_default=True,
    help="The form of the file: YAML, or JSON, also in one line.",
)
@service_options
@without_collections()
def dump(
    pattern: str, owner: str | None, file: Path | None, output: Literal["yaml", "json", "jsonl"], service: Service
) -> None:
    """Write a file with the settings of a service, so that a repository can begin with it.

    PATTERN selects settings by name: the part of a name, or a pattern such as shop.*.
    """
    from heksherlite.cli.planning import read_stored
    from heksherlite.cli.settings_dump import dumped, dumped_fields

    if owner is None and (file is None or not file.exists()):
        raise click.UsageError("Missing option '--owner', such as --owner checkout-team.")
    with service.connect() as admin, spinner("reading"):
        names = [each.name for each in admin.list_settings() if matches(each.name, pattern)]
        if not names:
            raise click.ClickException(f"the service has no setting that matches {pattern!r}")
        stored, _ = read_stored(admin, names)
    if output != "yaml" and file is not None and file.exists():
        raise click.UsageError(f"{file} exists, and only YAML files are updated.")
    if output == "yaml":
        text = dumped(owner, stored)
    else:
        option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if output == "json" else 0)
        text = orjson.dumps(dumped_fields(owner, stored), option=option).decode()
    if file is None:
        click.echo(text, nl=False)
    elif file.exists():
        _update(file, owner, stored)
    else:
        try:
            file.write_text(text, "utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
        click.echo(f"Wrote {_settings(len(stored))} to {file}.", err=True)


def _update(file: Path, owner: str | None, stored: Mapping[str, StoredSetting]) -> None:
    from heksherlite.cli.settings_files import SettingsFilesError, read_settings_files
    from heksherlite.cli.settings_update import update_file

    if file.suffix not in {".yaml", ".yml"}:
        raise click.UsageError(f"{file} exists, and only YAML files are updated.")
    try:
        wanted = read_settings_files([str(file)])
    except SettingsFilesError as error:
        raise click.ClickException(f"{file} exists and is malformed:\n{error}") from error
    owners = {setting.owner for setting in wanted}
    if owner is not None and owners - {owner}:
        raise click.UsageError(f"{file} has the owner {', '.join(map(str, owners))}, not {owner}.")
    changed = update_file(file, wanted, stored)
    click.echo(f"Updated {_settings(len(stored))} in {file}." if changed else f"{file} is up to date.", err=True)


def _settings(number: int) -> str:
    return f"{number} setting" if number == 1 else f"{number} settings"
