"""Settings whose values differ between two contexts, and what gives the second one the value of the first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from heksherlite import operations as ops
from heksherlite.service.changing import Changer
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.explanations import possible_values
from heksherlite.service.domain.json_values import same_json

_MOST_REGIONS: Final = 100


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A setting with its explanations in both contexts.

    Attributes:
        setting: The name of the setting.
        left: The explanation in the first context.
        right: The explanation in the second context.
        conditions: The conditions of a rule for the second context.
        left_rule: The conditions of the rule that decides in the first context, or None if no rule does for sure.
        right_rule: The same for the second context.
    """

    setting: str
    left: Mapping[str, Any]
    right: Mapping[str, Any]
    conditions: Mapping[str, str]
    left_rule: Mapping[str, str] | None
    right_rule: Mapping[str, str] | None

    @property
    def can_be_copied(self) -> bool:
        """Whether the first context has exactly one value, and a rule can be for the second one."""
        return "value" in self.left and bool(self.conditions)


def differing_values(
    catalog: Catalog, entries: Iterable[Entry], left: Mapping[str, str], right: Mapping[str, str], changer: Changer
) -> Iterator[ValueRow]:
    """Yield the settings whose values differ between two contexts, by name.

    Args:
        catalog: The catalog with the settings.
        entries: The settings.
        left: The first context.
        right: The second context.
        changer: What knows the rules by their rank. It computes this.
    """
    for entry in sorted(entries, key=lambda entry: entry.setting.name):
        features = entry.setting.configurable_features
        known, other = ({each: side[each] for each in side if each in features} for side in (left, right))
        if not entry.rules or known == other:
            continue
        ranked = changer.ranked_rules.get(catalog, entry)
        one, two = (possible_values(entry, ranked, side, limit=_MOST_REGIONS) for side in (known, other))
        if not _same(one, two):
            yield ValueRow(entry.setting.name, one, two, other, _decides(entry, one), _decides(entry, two))


def _decides(entry: Entry, shown: Mapping[str, Any]) -> Mapping[str, str] | None:
    rule = entry.rules.get(shown.get("decided_by", {}).get("rule_id"))
    return None if rule is None else dict(rule.conditions)


def _same(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    if "value" in one and "value" in two:
        return same_json(one["value"], two["value"])
    shown = [
        [(each["where"], each["except"], each["value"]) for each in side["regions"]] if "value" not in side else None
        for side in (one, two)
    ]
    return same_json(shown[0], shown[1])


def copied_value(row: ValueRow) -> ops.AnyOperation:
    """Return the operation that gives the second context the value of the first one."""
    return ops.PutRule(setting=row.setting, feature_values=row.conditions, value=row.left["value"])
