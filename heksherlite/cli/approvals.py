"""The options of ``heksherlite app`` that say what an application is granted."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from heksherlite.cli.scopes import scope_option

if TYPE_CHECKING:
    from heksherlite.service.domain.applications import Tracked


def _parse_pairs(_context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        feature, _, wanted = value.partition("=")
        pairs[feature] = wanted
    if len(pairs) < len(values) or not all(pairs.values()):
        raise click.BadParameter(f"expected {parameter.opts[0]} FEATURE=VALUE, at most once for each context feature")
    return pairs


_APPROVAL_OPTIONS = (
    scope_option(
        "What the tokens of the application allow: read, declare, propose, write, admin, evaluate. By default nothing."
    ),
    click.option(
        "--setting-prefix",
        metavar="PREFIX",
        default="",
        help="Limit the tokens to settings whose names begin with this.",
    ),
    click.option(
        "--default",
        "defaults",
        metavar="FEATURE=VALUE",
        multiple=True,
        callback=_parse_pairs,
        help="The value of a context feature that the program leaves out. Repeat the option for several.",
    ),
    click.option(
        "--track",
        metavar="FEATURE=VALUES",
        multiple=True,
        callback=_parse_pairs,
        help="The tracked values of a context feature, separated by commas, or * for all. By default the value of"
        " --default, or else *. Repeat the option for several.",
    ),
    click.option(
        "--group",
        "groups",
        metavar="NAME",
        multiple=True,
        help="A configuration group to attach. Repeat the option for several.",
    ),
)


def approval_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets an `Approval` as ``approval``."""

    @wraps(command)
    def run(
        *,
        scopes: frozenset[Any],
        setting_prefix: str,
        defaults: dict[str, str],
        track: dict[str, str],
        groups: Sequence[str],
        **others: Any,
    ) -> None:
        from heksherlite.service.domain.applications import Approval

        approval = Approval(
            scopes=scopes,
            setting_prefix=setting_prefix,
            defaults=defaults,
            track={feature: _split_values(values) for feature, values in track.items()},
            groups=tuple(dict.fromkeys(groups)),
        )
        command(approval=approval, **others)

    for option in reversed(_APPROVAL_OPTIONS):
        run = option(run)
    return run


def _split_values(values: str) -> "Tracked":
    return "*" if values == "*" else [value.strip() for value in values.split(",") if value.strip()]
