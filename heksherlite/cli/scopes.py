"""The ``--scope`` option, which every command with scopes takes in the same way."""

from collections.abc import Callable, Sequence
from typing import Any

import click


def split_scopes(values: Sequence[str]) -> list[str]:
    """Return the scopes in the values of a repeated option, each of which may have several, separated by commas."""
    names = [name.strip() for value in values for name in value.split(",")]
    return list(dict.fromkeys(filter(None, names)))


def _parse(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> frozenset[Any]:
    from heksherlite.service.domain.tokens import Scope

    names = split_scopes(values)
    for name in names:
        if name not in set(Scope):
            raise click.BadParameter(f"{name!r} is not a scope; the scopes are {', '.join(Scope)}")
    return frozenset(map(Scope, names))


def scope_option(help_text: str, *, required: bool = False) -> Callable[..., Any]:
    """Return the option for scopes of the service; the command gets a set of `Scope` as ``scopes``."""
    return click.option(
        "--scope",
        "scopes",
        metavar="SCOPES",
        multiple=True,
        required=required,
        callback=_parse,
        help=f"{help_text} Separate several by commas, or repeat the option.",
    )
