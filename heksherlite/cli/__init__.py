"""The command line: ``heksherlite``. Each command has a file of its own.

A command imports what it needs when it runs, because that is slow to import or comes with an extra. The help needs
Click alone, and without Click there is still a list of commands.
"""

import sys

from heksherlite._version import __version__
from heksherlite.cli.command_table import COMMANDS, SECTIONS, SUMMARY

_HELP: tuple[list[str], ...] = ([], ["-h"], ["--help"])


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    arguments = sys.argv[1:]
    try:
        from heksherlite.cli.commands import heksherlite

        heksherlite(arguments, prog_name="heksherlite")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("heksherlite"):
            raise
        if error.name == "click" and arguments in _HELP:
            print(_help_without_click())  # noqa: T201  # Click prints everything else
            return
        if error.name == "click" and arguments == ["--version"]:
            print(f"heksherlite, version {__version__}")  # noqa: T201
            return
        entry = COMMANDS.get(arguments[0]) if arguments else None
        extra = entry.extra if entry else "service"
        library = error.name.partition(".")[0]
        sys.exit(f"Error: this command needs {library}, which is not installed: pip install 'heksherlite[{extra}]'")


def _help_without_click() -> str:
    width = max(map(len, COMMANDS))
    sections = [
        "\n".join([f"{title}:", *[f"  {name:{width}}  {entry.summary}" for name, entry in section.items()]])
        for title, section in SECTIONS.items()
    ]
    commands = "\n\n".join(sections)
    return (
        f"Usage: heksherlite COMMAND [OPTIONS]\n\n  {SUMMARY}\n\n{commands}\n\n"
        "The commands need an extra: pip install 'heksherlite[service]', or 'heksherlite[cli]' and 'heksherlite[login]'"
        " without the service."
    )
