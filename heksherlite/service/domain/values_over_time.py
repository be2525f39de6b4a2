"""When the value of a setting in a context changed, found by going back through the changes of the setting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.history import Change
from heksherlite.service.domain.json_values import Json, same_json
from heksherlite.service.domain.schedule import Phase


@dataclass(frozen=True, slots=True)
class ValueStep:
    """A revision at which the value in a context changed.

    Attributes:
        revision: The revision.
        before: The value before it; `NO_VALUE` if the setting did not exist.
        after: The value since then.
    """

    revision: int
    before: Json
    after: Json


def value_steps(
    catalog: Catalog, entry: Entry, changes: Iterable[tuple[int, Change]], known: Mapping[str, str]
) -> Iterator[ValueStep]:
    """Yield the revisions at which the value of a setting in a context changed, the newest first.

    Args:
        catalog: The current catalog.
        entry: The setting in it.
        changes: The changes of the setting, of its rules, and of the order of the context features, each with its
            revision, from the catalog's revision back to an earlier one, which is complete.
        known: The context. Where it lacks a feature, no rule with a condition on that feature applies.
    """
    state = _State(catalog.context_features, entry.setting.default_value, {})
    for rule in entry.rules.values():
        if rule.served and _applies(dict(rule.conditions), known):
            state.rules[rule.id] = (dict(rule.conditions), rule.value)
    after = state.value()
    for revision, of_revision in groupby(changes, key=lambda item: item[0]):
        for _, change in of_revision:
            state.undo(change, known)
        before = state.value()
        if (before is NO_VALUE) != (after is NO_VALUE) or not same_json(before, after):
            yield ValueStep(revision, before, after)
        after = before


@dataclass(slots=True)
class _State:
    """What decides the value: the order of the features, the default, and the rules that apply in the context."""

    features: Sequence[str]
    default: Json
    rules: dict[int, tuple[Mapping[str, str], Json]]

    def value(self) -> Json:
        if self.default is NO_VALUE or not self.rules:
            return self.default
        weights = {feature: 1 << place for place, feature in enumerate(self.features)}
        _, value = max(self.rules.values(), key=lambda rule: sum(weights.get(feature, 0) for feature in rule[0]))
        return value

    def undo(self, change: Change, known: Mapping[str, str]) -> None:
        before: Any = change.before
        if change.setting_id is None:
            self.features = before
        elif change.rule_id is None:
            self.default = NO_VALUE if before is None else before.get("operator_default_value", before["default_value"])
        elif before is None or not _is_served(before) or not _applies(before["feature_values"], known):
            self.rules.pop(change.rule_id, None)
        else:
            self.rules[change.rule_id] = (before["feature_values"], before["value"])


def _applies(conditions: Mapping[str, str], known: Mapping[str, str]) -> bool:
    return all(known.get(feature) == value for feature, value in conditions.items())


def _is_served(rule: Mapping[str, Any]) -> bool:
    has_times = rule.get("starts_at") is not None or rule.get("ends_at") is not None
    return not has_times or Phase(rule.get("phase", Phase.PENDING)) is Phase.ACTIVE
