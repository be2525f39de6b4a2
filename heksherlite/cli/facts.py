"""``heksherlite facts``: the start-up configuration of a program, with its sources."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.groups import CommandGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heksherlite.grants import Fakts

_DEFAULT_FILE: Final = "config.yaml"


def _loader_options(command: Callable[..., None]) -> Callable[..., None]:
    from_ = click.option(
        "--from",
        "origin",
        metavar="MODULE:ATTR",
        help="The loader, the grant, or a function that returns one of them, in a module of the program. "
        "By default, the file, overridden by the environment.",
    )
    file = click.option(
        "--file",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        default=_DEFAULT_FILE,
        show_default=True,
        help="The YAML file without --from. It need not exist.",
    )
    return from_(file(command))


@click.group(cls=CommandGroup)
def facts() -> None:
    """Show and check the start-up configuration of a program.

    The commands load it as the program does, but never ask a person.
    """


@facts.command()
@click.argument("path", required=False)
@_loader_options
def show(path: str | None, origin: str | None, file: str) -> None:
    """Print each value, all its sources, and which of them wins. Secrets are masked.

    PATH is a group, or the path of a value such as group.key. By default, everything is printed.
    """
    from heksherlite.errors import GroupNotFound

    fakts = _load(origin, file, ())
    try:
        explanation = str(fakts.explain(path))
    except GroupNotFound as error:
        raise click.ClickException(str(error)) from error
    click.echo(explanation or "There are no facts.")


@facts.command()
@click.option(
    "--group",
    "groups",
    metavar="NAME",
    multiple=True,
    help="A group that must exist. Repeat the option for several.",
)
@_loader_options
def check(groups: Sequence[str], origin: str | None, file: str) -> None:
    """Check before a deployment that the configuration can be loaded.

    The command fails with all reasons if a source cannot be read, a group is missing, or the facts do not fit the class
    of the loader.
    """
    fakts = _load(origin, file, groups)
    loaded = fakts.loaded_fakts
    click.echo(f"The facts can be loaded. Groups: {', '.join(loaded) or 'none'}.")


def _load(origin: str | None, file: str, groups: Sequence[str]) -> Fakts[Any]:
    from heksherlite.errors import FaktsError
    from heksherlite.grants import EnvGrant, Fakts, ParallelGrant, YamlGrant
    from heksherlite.grants.facts import find_keys

    if origin is None:
        fakts: Fakts[Any] = Fakts(ParallelGrant([YamlGrant(file, required=False), EnvGrant(required=False)]))
    else:
        fakts = _find(origin)
    try:
        loaded = fakts.load(may_ask=False)
    except FaktsError as error:
        raise click.ClickException(str(error)) from error
    missing = [name for name in groups if find_keys(loaded, name) is None]
    if missing:
        raise click.ClickException(
            f"missing groups: {', '.join(missing)}; those that exist: {', '.join(loaded) or 'none'}"
        )
    return fakts


def _find(origin: str) -> Fakts[Any]:
    """Return the loader in a module."""
    from heksherlite.grants import Fakts

    module, separator, attribute = origin.partition(":")
    if not module or not separator or not attribute:
        raise click.BadParameter(f"expected MODULE:ATTR, not {origin!r}", param_hint="--from")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as "python -m" does
    try:
        found: Any = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        is_function = callable(found) and not hasattr(found, "aload")
        loader: Any = found() if is_function else found
        return loader if isinstance(loader, Fakts) else Fakts(loader)
    except Exception as error:  # the program's own code can raise anything
        raise click.ClickException(f"{origin} cannot be used: {type(error).__name__}: {error}") from error
