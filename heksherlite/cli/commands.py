"""The group of all commands."""

from importlib import import_module
from keyword import iskeyword

import click

from heksherlite._version import __version__

_COMMANDS = {
    "app": "app",
    "beacon": "beacons",
    "discover": "beacons",
    "export": "export",
    "group": "group",
    "import": "importing",
    "login": "login",
    "logout": "login",
    "serve": "serve",
    "token": "token",
    "whoami": "login",
}
"""The commands, and the files that they are in."""


class _Commands(click.Group):
    """Imports a command when it is needed, because some need less than the whole extra."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        function = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"heksherlite.cli.{_COMMANDS[cmd_name]}"), function)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def heksherlite() -> None:
    """Settings whose values depend on context and change while a program runs."""
