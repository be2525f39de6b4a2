"""The group of all commands."""

import builtins
import errno
import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Any, Final

import click

from heksherlite._version import __version__
from heksherlite.cli.command_table import COMMANDS, SECTIONS, SUMMARY
from heksherlite.names import nearest_name

_INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""

_WIDTH: Final = max(map(len, COMMANDS))


class _LazyGroup(click.Group):
    """Imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        function = f"{cmd_name}_" if iskeyword(cmd_name) or hasattr(builtins, cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"heksherlite.cli.{COMMANDS[cmd_name].module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        for argument in args:
            try:
                argument.encode()
            except UnicodeEncodeError:
                coding = sys.getfilesystemencoding()
                raise click.UsageError(f"The argument {argument!a} is not text in {coding}.", ctx) from None
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # Click looks for similar names among the commands that are imported, and none is.
            nearest = nearest_name(args[0], COMMANDS)
            if nearest is None:
                raise
            raise click.UsageError(f"{error.message} Did you mean {nearest!r}?", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno != errno.ENOSPC or error.filename is not None:
                raise
            raise click.ClickException("the output cannot be written: no space is left on the device") from error
        except (KeyboardInterrupt, click.Abort) as error:
            # Click's prompts turn Ctrl-C into an abort.
            if not isinstance(error, KeyboardInterrupt) and not isinstance(error.__context__, KeyboardInterrupt):
                raise
        click.echo("Aborted!", err=True)
        raise click.exceptions.Exit(_INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{_WIDTH}}", entry.summary) for name, entry in section.items()])


@click.group(
    cls=_LazyGroup,
    help=SUMMARY,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.pass_context
def heksherlite(context: click.Context) -> None:
    """Show the help if there is no command."""
    if os.environ.get("NO_COLOR"):
        context.color = False  # for all commands: https://no-color.org
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
