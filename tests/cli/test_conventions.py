"""What all commands have in common: outputs for programs, dry runs, reasons and the choice of a service."""

import click
import pytest

from heksherlite.cli.commands import heksherlite
from tests.cli.test_startup import every_command

LOOKING = {
    "settings list", "settings show", "get", "explain", "rules list", "history list", "history show", "watch", "diff",
    "check", "proposals list", "proposals show", "schema", "validate", "plan", "dump", "export", "audit", "token list",
    "app list", "app show", "group list", "group show", "group secret list", "declarer list",
}  # fmt: skip
"""The commands that change nothing."""

DISCUSSING = {"proposals approve", "proposals reject", "proposals withdraw", "proposals comment"}
"""They take a comment. The reason of a change is that of its proposal."""

ON_THIS_MACHINE = {
    "serve", "rekey", "facts show", "facts check", "login", "whoami", "logout", "beacon", "discover", "completion",
    "profile add", "profile list", "profile remove", "profile use",
}  # fmt: skip
"""They manage no settings and no access."""

FILES = {"export", "audit", "schema"}
"""Their results are files in a form of their own."""


def commands() -> dict[str, click.Command]:
    found = {}
    for words in every_command():
        command: click.Command = heksherlite
        for word in words:
            assert isinstance(command, click.Group)
            child = command.get_command(click.Context(command), word)
            assert child is not None
            command = child
        if not isinstance(command, click.Group):
            found[" ".join(words)] = command
    return found


COMMANDS = commands()


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ON_THIS_MACHINE))
def test_options_that_commands_share(name: str) -> None:
    """Each command that changes something has --dry-run and --reason; each one has -o, a URL, a token and a profile."""
    has = options(name)
    if name not in LOOKING:
        assert "--dry-run" in has or name == "proposals comment"
        assert "--reason" in has or name in DISCUSSING
    assert "-o" in has or name in FILES
    assert {"--url", "--token", "--profile"} <= has


def test_the_lists_are_complete() -> None:
    """Every name in the lists is that of a command."""
    assert COMMANDS.keys() >= LOOKING | DISCUSSING | ON_THIS_MACHINE | FILES
