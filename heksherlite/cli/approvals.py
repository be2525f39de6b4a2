"""The options of ``heksherlite app`` that say what an application is granted."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from heksherlite.service.domain.applications import Approval, Tracked
from heksherlite.service.domain.tokens import Scope


def _scopes(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> frozenset[Scope]:
    names = [name for value in values for name in value.replace(",", " ").split()]
    if unknown := sorted(set(names).difference(Scope)):
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(Scope)}")
    return frozenset(map(Scope, names))


def _pairs(_context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        feature, _, wanted = value.partition("=")
        pairs[feature] = wanted
    if len(pairs) < len(values) or not all(pairs.values()):
        raise click.BadParameter(f"each {parameter.opts[0]} is FEATURE=VALUE, once for each context feature")
    return pairs


_APPROVAL_OPTIONS = (
    click.option(
        "--scopes",
        metavar="SCOPES",
        multiple=True,
        callback=_scopes,
        help="What its tokens allow, such as read,declare: of read, declare, write and admin. By default nothing but"
        " its configuration.",
    ),
    click.option(
        "--setting-prefix",
        metavar="PREFIX",
        default="",
        help="Limits its tokens to settings whose names begin like this.",
    ),
    click.option(
        "--default",
        "defaults",
        metavar="FEATURE=VALUE",
        multiple=True,
        callback=_pairs,
        help="What stands in for a context feature that the program leaves out. May be given several times.",
    ),
    click.option(
        "--track",
        metavar="FEATURE=VALUES",
        multiple=True,
        callback=_pairs,
        help="The values to ask rules for, separated by commas, or *. By default the --default of the context feature,"
        " or else *.",
    ),
    click.option("--group", "groups", metavar="NAME", multiple=True, help="A configuration group that it gets, too."),
)


def approval_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command; it gets an `Approval`, as ``approval``."""

    @wraps(command)
    def run(
        *,
        scopes: frozenset[Scope],
        setting_prefix: str,
        defaults: dict[str, str],
        track: dict[str, str],
        groups: Sequence[str],
        **others: Any,
    ) -> None:
        approval = Approval(
            scopes=scopes,
            setting_prefix=setting_prefix,
            defaults=defaults,
            track={feature: _tracked(values) for feature, values in track.items()},
            groups=tuple(dict.fromkeys(groups)),
        )
        command(approval=approval, **others)

    for option in reversed(_APPROVAL_OPTIONS):
        run = option(run)
    return run


def _tracked(values: str) -> Tracked:
    return "*" if values == "*" else [value.strip() for value in values.split(",") if value.strip()]
