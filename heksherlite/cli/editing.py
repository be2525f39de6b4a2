"""``heksherlite edit``: the rules of a setting in a text editor."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click

from heksherlite.cli.arguments import name_argument
from heksherlite.cli.changing import ChangeMode, change_options
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from heksherlite.cli.settings_files import WantedSetting

_HELP: Final = """\
# Edit the operator's default and the rules of the setting. What you remove is deleted.
# Save the file and leave the editor to see what changes. Nothing happens before you confirm it.
"""


@click.command()
@name_argument
@change_options
@service_options
def edit(name: str, mode: ChangeMode, service: Service) -> None:
    """Edit the default and the rules of the setting NAME in an editor.

    The editor is the one in the variables VISUAL or EDITOR. If somebody else changes the same meanwhile, the change is
    refused.
    """
    from heksherlite.cli.planning import make_plan, read_stored
    from heksherlite.cli.settings_dump import dumped

    with service.connect() as admin:
        unchanged = admin.change((), dry_run=True)
        base_revision = unchanged.revision_name
        name = admin.setting(name).name
        stored, _ = read_stored(admin, [name])
        wanted = _edited(name, _HELP + dumped(None, stored))
        if wanted is None:
            mode.print_unchanged(unchanged)
            return
        plan = make_plan(wanted, stored, base_revision=base_revision, prune=True, force=True)
        if not plan.operations:
            mode.print_unchanged(unchanged)
            return
        mode.carry_out(admin, plan.operations, base_revision=base_revision)


def _edited(name: str, text: str) -> list[WantedSetting] | None:
    """Return what a person makes of a text, or None if they leave it as it is. Malformed texts are edited again."""
    from heksherlite.cli.settings_files import SettingsFilesError, read_settings_files

    while True:
        changed = click.edit(text, extension=".yaml")
        if changed is None:
            return None
        with TemporaryDirectory(prefix="heksherlite-") as folder:
            file = Path(folder, f"{name}.yaml")
            file.write_text(changed, "utf-8")
            try:
                wanted = read_settings_files([str(file)], needs_owner=False)
            except SettingsFilesError as error:
                message = "\n".join(str(fault).removeprefix(f"{folder}/") for fault in error.faults)
            else:
                if [setting.name for setting in wanted] == [name]:
                    return wanted
                message = f"the file must contain the setting {name} and no other"
        click.echo(message, err=True)
        if not sys.stdin.isatty() or not click.confirm("Edit again?", default=True, err=True):
            raise click.ClickException("the edited text is malformed; nothing was changed")
        text = changed
