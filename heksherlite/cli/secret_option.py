"""Options whose values are secret: a person enters them without seeing them, and a script sends them to the command."""

import sys
from typing import Any

import click


class SecretOption(click.Option):
    """An option that, without a value, asks for it on the terminal, or reads a line of the standard input otherwise.

    Args:
        param_decls: The names of the option, as for :class:`click.Option`.
        attrs: Its further arguments. ``prompt`` is the question.
    """

    def __init__(self, param_decls: Any = None, **attrs: Any) -> None:
        super().__init__(param_decls, **{"prompt_required": False, "hide_input": True, **attrs})

    def prompt_for_value(self, ctx: click.Context) -> Any:
        """Return the value, converted."""
        if sys.stdin is None or sys.stdin.isatty():
            return super().prompt_for_value(ctx)
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise click.UsageError(
                f"There is no terminal to ask on; write the value of {self.opts[0]} to the standard input.", ctx
            )
        return self.process_value(ctx, line)
