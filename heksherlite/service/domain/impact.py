"""The impact of changes: in which contexts the values of settings become others, exactly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from heksherlite.regions import Difference, RankedRules, Region, differences
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Entry, Rule, Setting
from heksherlite.service.domain.json_values import Json, same_json
from heksherlite.service.domain.ranked_rules import after_changes, ranked_rules

MOST_REGIONS: Final = 1_000
"""How many regions are listed."""

_MOST_COUNTED: Final = 100_000
"""How many regions are counted, so that looking at a change takes limited time."""

RankedRulesOf: TypeAlias = Callable[[Catalog, Entry], RankedRules[Rule]]


@dataclass(slots=True)
class Impact:
    """What changes do to values.

    Attributes:
        regions: The regions of contexts whose values change, as the API shows them, and the rules that change nothing
            because other rules win wherever they match.
        counts: How many regions there are, by the name of the setting, if not all are listed.
        counts_are_minimums: Whether there may be even more.
    """

    regions: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    counts_are_minimums: bool = False

    @property
    def truncated(self) -> bool:
        """Whether there are more regions than those that are listed."""
        return bool(self.counts)


class _OverError(Exception):
    """There is no time left."""


def impact_of(
    before: Catalog,
    after: Catalog,
    changes: Changes,
    ranked: RankedRulesOf,
    *,
    is_over: Callable[[], bool] = lambda: False,
) -> Impact:
    """Compute the impact of changes.

    Args:
        before: What there is.
        after: The same with the changes.
        changes: The changes.
        ranked: Returns the rules of a setting of ``before``.
        is_over: Tells whether to stop, because it takes too long. What was not looked at is not counted.
    """
    regions: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    counted, is_complete = 0, True
    changed = _changed_rules(before, changes)
    for setting_id in sorted(_affected(before, after, changes)):
        entry = after.entries.get(setting_id) or before.entries[setting_id]
        count = 0
        try:
            for show in _of_setting(before, after, changed.get(setting_id, set()), setting_id, ranked, is_over):
                if len(regions) < MOST_REGIONS:
                    regions.append(show())
                elif counted + count >= _MOST_COUNTED:
                    break
                count += 1
        except _OverError:
            is_complete = False
        counted += count
        if count or not is_complete:
            counts[entry.setting.name] = count
    if is_complete and counted == len(regions):
        return Impact(regions)
    return Impact(regions, counts, not is_complete or counted >= _MOST_COUNTED)


def decided_by(setting: Setting, rule: Rule | None) -> dict[str, Any]:
    """Return what decides on a value where a rule wins, or where none does, as the API shows it."""
    if rule is not None:
        return {"kind": "rule", "rule_id": rule.id}
    return {"kind": "operator_default" if setting.has_operator_default else "declared_default"}


def _affected(before: Catalog, after: Catalog, changes: Changes) -> set[int]:
    touched = before.touched_settings(changes) | changes.removed_settings | {setting.id for setting in changes.settings}
    if changes.context_features is not None:
        for setting_id, entry in before.entries.items():
            features = entry.setting.configurable_features
            if len(entry.rules) > 1 and before.in_order(features) != after.in_order(features):
                touched.add(setting_id)
    return touched & (before.entries.keys() | after.entries.keys())


def _changed_rules(before: Catalog, changes: Changes) -> dict[int, set[int]]:
    """Return the ids of the rules that changes store or remove, by the id of their setting."""
    removed = [before.rules[rule_id] for rule_id in changes.removed_rules if rule_id in before.rules]
    changed: dict[int, set[int]] = {}
    for rule in (*changes.rules, *removed):
        changed.setdefault(rule.setting_id, set()).add(rule.id)
    return changed


def _of_setting(
    before: Catalog,
    after: Catalog,
    changed_ids: set[int],
    setting_id: int,
    ranked: RankedRulesOf,
    is_over: Callable[[], bool],
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Yield what shows each region of a setting, because most regions may only be counted."""
    if is_over():
        raise _OverError
    entry = before.entries.get(setting_id)
    if entry is None:
        return
    if setting_id not in after.entries:
        yield lambda: {"setting": entry.setting.name, "where": {}, "except": [], "deleted": True}
        return
    entry_after = after.entries[setting_id]
    rules = ranked(before, entry)
    rules_after = _rules_after(before, after, entry_after, rules, changed_ids)
    default, default_after = entry.setting.default_value, entry_after.setting.default_value

    def same(one: Rule | None, other: Rule | None) -> bool:
        if is_over():
            raise _OverError
        return same_json(default if one is None else one.value, default_after if other is None else other.value)

    changed = {
        rules_of[rule_id].conditions: None
        for rule_id in sorted(changed_ids)
        for rules_of in (entry.rules, entry_after.rules)
        if rule_id in rules_of
    }
    for difference in differences(rules, rules_after, map(dict, changed), same):
        yield partial(_show_difference, difference, entry.setting, entry_after.setting)
    if len(rules_after) < 2:
        return  # no rule can win over another one
    for rule_id in sorted(changed_ids & entry_after.rules.keys()):
        if is_over():
            raise _OverError
        yield from _shadowed(entry_after, rules_after, entry_after.rules[rule_id], entry.rules.get(rule_id))


def _rules_after(
    before: Catalog,
    after: Catalog,
    entry_after: Entry,
    rules: RankedRules[Rule],
    changed_ids: set[int],
) -> RankedRules[Rule]:
    if rules.features != tuple(after.in_order(entry_after.setting.configurable_features)):
        return ranked_rules(after, entry_after)
    if before.context_features == after.context_features and not changed_ids:
        return rules
    return RankedRules(after_changes(after, entry_after, rules, changed_ids))


def _shadowed(
    entry: Entry, rules: RankedRules[Rule], rule: Rule, before: Rule | None
) -> Iterator[Callable[[], dict[str, Any]]]:
    where = dict(rule.conditions)
    found = rules.find(where)
    if found is None or (before is not None and before.served and same_json(before.value, rule.value)):
        return
    covering = rules.covering(where, above=found[0])
    if covering is not None:
        shadowed_by = covering[1].id
        yield lambda: {
            "setting": entry.setting.name,
            "where": where,
            "except": [],
            "rule_id": rule.id,
            "shadowed_by": shadowed_by,
        }


def _show_difference(difference: Difference[Rule], before: Setting, after: Setting) -> dict[str, Any]:
    one, other = difference.before, difference.after
    return {
        "setting": after.name,
        **show_region(difference.region),
        "before": before.default_value if one is None else one.value,
        "after": after.default_value if other is None else other.value,
        "before_by": decided_by(before, one),
        "after_by": decided_by(after, other),
    }


def show_region(region: Region) -> dict[str, Json]:
    """Return a region as the API shows it."""
    shown: dict[str, Json] = {
        "where": dict(region.where),
        "except": [dict(conditions) for conditions in region.exceptions],
    }
    return {**shown, "except_truncated": True} if region.exceptions_truncated else shown
