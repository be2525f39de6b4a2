"""Rules that differ between two values of a context feature, and what makes them the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heksherlite import operations as ops
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.json_values import same_json


@dataclass(frozen=True, slots=True)
class Row:
    """A rule for one value of the feature beside the rule for the other value with the same further conditions."""

    setting: str
    others: Mapping[str, str]
    left: Rule | None
    right: Rule | None
    key: str


def differing_rules(entries: Iterable[Entry], feature: str, left: str, right: str) -> Iterator[Row]:
    """Yield the rules that differ between two values of a context feature, by the name of the setting.

    Args:
        entries: The settings.
        feature: The context feature.
        left: The value whose rules may be copied.
        right: The other value.
    """
    for entry in sorted(entries, key=lambda entry: entry.setting.name):
        if feature not in entry.setting.configurable_features:
            continue
        conditions = ((feature, left), (feature, right))
        sides: dict[tuple[tuple[str, str], ...], list[Rule | None]] = {}
        for rule in entry.rules.values():
            for place, condition in enumerate(conditions):
                if condition in rule.conditions:
                    others = tuple([each for each in rule.conditions if each[0] != feature])
                    sides.setdefault(others, [None, None])[place] = rule
        for others, (one, other) in sorted(sides.items(), key=lambda item: item[0]):
            if one is None or other is None or not _same(one, other):
                key = f"{entry.setting.id} {0 if one is None else one.id} {0 if other is None else other.id}"
                yield Row(entry.setting.name, dict(others), one, other, key)


def _same(one: Rule, other: Rule) -> bool:
    times = [
        None if rule.schedule is None else (rule.schedule.starts_at, rule.schedule.ends_at) for rule in (one, other)
    ]
    return same_json(one.value, other.value) and times[0] == times[1]


def copied(row: Row, feature: str, right: str) -> ops.AnyOperation:
    """Return the operation that makes the right side of a row like the left one.

    Args:
        row: The row.
        feature: The context feature.
        right: The value of the right side.
    """
    conditions = {**row.others, feature: right}
    if row.left is None:
        return ops.DeleteRule(setting=row.setting, feature_values=conditions)
    times: dict[str, Any] = {"starts_at": None, "ends_at": None}
    if row.left.schedule is not None:
        times = {"starts_at": row.left.schedule.starts_at, "ends_at": row.left.schedule.ends_at}
    return ops.PutRule(setting=row.setting, feature_values=conditions, value=row.left.value, **times)
