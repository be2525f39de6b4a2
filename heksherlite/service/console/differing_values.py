"""Settings whose values differ between two contexts, and what gives the second one the value of the first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heksherlite import operations as ops
from heksherlite.regions import RankedRules, winning_rules
from heksherlite.service.changing import Changer
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.explanations import possible_values
from heksherlite.service.domain.json_values import same_json


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


@dataclass(slots=True)
class Comparison:
    """A comparison of two contexts.

    Attributes:
        left: The first context.
        right: The second context.
        after: The name after which the settings are compared; nothing for all.
        compared: The name of the last setting that was compared.
    """

    left: Mapping[str, str]
    right: Mapping[str, str]
    after: str = ""
    compared: str = ""

    def rows(
        self, catalog: Catalog, entries: Iterable[Entry], changer: Changer, *, regions: int = 1
    ) -> Iterator[ValueRow | None]:
        """Yield the settings whose values differ, by name; None for each that has the same value in both contexts.

        Args:
            catalog: The catalog with the settings.
            entries: The settings.
            changer: What knows the rules by their rank. It computes this.
            regions: How many possible values are listed where several are possible.
        """
        for entry in sorted(entries, key=lambda entry: entry.setting.name):
            name, features = entry.setting.name, entry.setting.configurable_features
            if name <= self.after:
                continue
            self.compared = name
            known, other = ({each: side[each] for each in side if each in features} for side in (self.left, self.right))
            if not entry.rules or known == other:
                continue
            ranked = changer.ranked_rules.get(catalog, entry)
            if _same(ranked, known, other):
                yield None
                continue
            one, two = (possible_values(entry, ranked, side, limit=regions) for side in (known, other))
            if "value" not in one or "value" not in two or not same_json(one["value"], two["value"]):
                yield ValueRow(name, one, two, other, _decides(entry, one), _decides(entry, two))


def _decides(entry: Entry, shown: Mapping[str, Any]) -> Mapping[str, str] | None:
    rule = entry.rules.get(shown.get("decided_by", {}).get("rule_id"))
    return None if rule is None else dict(rule.conditions)


def _same(rules: RankedRules[Rule], known: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether the same rules for the features that are not known win in two contexts, with the same values."""
    if known.keys() != other.keys():
        return False
    sides = [[_outcome(each, side) for each in winning_rules(rules, side)] for side in (known, other)]
    return same_json(sides[0], sides[1])


def _outcome(rule: Rule | None, known: Mapping[str, str]) -> Any:
    if rule is None:
        return None
    return [[list(each) for each in rule.conditions if each[0] not in known], rule.value]


def copied_value(row: ValueRow) -> ops.AnyOperation:
    """Return the operation that gives the second context the value of the first one."""
    return ops.PutRule(setting=row.setting, feature_values=row.conditions, value=row.left["value"])
