"""What commands show before they change something: a diff, and the values that become others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.output import as_text, conditions_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from heksherlite.admin import Change, Impact, OperationConflict, Region

_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow"}
_MOST_LINES: Final = 50


def show_changes(changes: Iterable[Change]) -> None:
    """Print a diff to the standard error."""
    _show(_change_lines(changes))


def show_impact(impact: Impact) -> None:
    """Print in which contexts values become others, to the standard error."""
    lines = list(_impact_lines(impact))
    if lines:
        click.echo("In these contexts, values change:", err=True)
        _show(lines)
    else:
        click.echo("No value changes in any context.", err=True)
    if impact.truncated:
        total = sum(impact.counts.values())
        click.echo(f"  and more, {'at least ' if impact.counts_are_minimums else ''}{total} in all", err=True)


def show_conflicts(conflicts: Iterable[OperationConflict]) -> None:
    """Print conflicts to the standard error."""
    _show([("-", str(conflict)) for conflict in conflicts])


def change_text(change: Change) -> str:
    """Return a change in one line."""
    return " ".join(next(iter(_change_lines([change]))))


def _show(lines: Iterable[tuple[str, str]]) -> None:
    lines = list(lines)
    for sign, text in lines[:_MOST_LINES]:
        click.secho(f"  {sign} {text}", fg=_COLOURS[sign], err=True)
    if len(lines) > _MOST_LINES:
        click.echo(f"    and {len(lines) - _MOST_LINES} more", err=True)


def _change_lines(changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    for change in changes:
        sign = "+" if change.before is None else "-" if change.after is None else "~"
        yield sign, f"{_subject(change)}: {_content(change.before, change.after)}"


def _subject(change: Change) -> str:
    if change.rule_id is not None:
        shown = change.after or change.before
        return f"rule {change.rule_id} of {change.setting} where {conditions_text(shown['feature_values'])}"
    name = change.setting or change.name
    return f"{change.kind.replace('_', ' ')}{f' {name}' if name else ''}"


def _content(before: Any, after: Any) -> str:
    """Return what is new or gone, or which fields are not the same."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        shown = after if before is None else before if after is None else None
        if shown is None:
            return f"{as_text(before)} -> {as_text(after)}"
        if isinstance(shown, dict) and {"type", "default_value"} <= shown.keys():
            return f"{shown['type']}, with the default {as_text(shown['default_value'])}"
        return as_text(shown["value"] if isinstance(shown, dict) and "value" in shown else shown)
    fields = [(name, _field(before, name), _field(after, name)) for name in {**before, **after}]
    return ", ".join([f"{name} {one} -> {other}" for name, one, other in fields if one != other])


def _field(shown: Mapping[str, Any], name: str) -> str:
    return as_text(shown[name]) if name in shown else "none"


def _impact_lines(impact: Impact) -> Iterator[tuple[str, str]]:
    for change in impact.value_changes:
        yield "~", f"{change.setting} {region_text(change.region)}: {as_text(change.before)} -> {as_text(change.after)}"
    for name in impact.deleted_settings:
        yield "-", f"{name}: the setting is deleted"
    for shadowed in impact.shadowed_rules:
        where = conditions_text(shadowed.where)
        yield "~", f"{shadowed.setting} where {where}: nothing, because rule {shadowed.shadowed_by} always wins there"


def region_text(region: Region) -> str:
    """Return a region of contexts in words."""
    where = f"where {conditions_text(region.where)}" if region.where else "everywhere"
    exceptions = " and ".join(map(conditions_text, region.exceptions))
    more = " and more" if region.exceptions_truncated else ""
    return where + (f" except where {exceptions}{more}" if exceptions else "")
