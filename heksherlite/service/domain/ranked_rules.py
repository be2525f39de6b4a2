"""The served rules of settings as rule sets: what explanations and impacts are computed from."""

from collections import OrderedDict
from collections.abc import Iterable

from heksherlite.regions import RankedRules
from heksherlite.rule_sets import RuleSet
from heksherlite.rules import RuleBatch, RuleSetBuilder
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule


def ranked_rules(catalog: Catalog, entry: Entry) -> RankedRules[Rule]:
    """Return the served rules of a setting of a catalog, ranked by the catalog's order of context features."""
    return RankedRules(_rule_set(catalog, entry, None, entry.rules.values()))


def _weight(entry: Entry) -> int:
    return len(entry.rules) + 1  # a setting without rules takes memory, too


class RankedRulesCache:
    """Caches the ranked rules of the most recently used settings, and updates them with each change.

    Args:
        most_rules: The maximum number of rules of all cached settings. The most recently used setting is always kept.
    """

    def __init__(self, *, most_rules: int = 2_000_000) -> None:
        self._most_rules = most_rules
        self._rules = 0
        self._kept: OrderedDict[int, tuple[str, Entry, tuple[str, ...], RankedRules[Rule]]] = OrderedDict()

    def get(self, catalog: Catalog, entry: Entry) -> RankedRules[Rule]:
        """Return the same as `ranked_rules`, for a setting of a current catalog."""
        database_id, known, order, ranked = self._kept.pop(entry.setting.id, ("", None, (), None))
        is_same_database = database_id == catalog.counters.database_id and order == catalog.context_features
        if known is not entry or not is_same_database or ranked is None:
            ranked = self._updated(catalog, entry, known if is_same_database else None, ranked)
        self._kept[entry.setting.id] = (catalog.counters.database_id, entry, catalog.context_features, ranked)
        self._rules += _weight(entry) - (0 if known is None else _weight(known))
        while self._rules > self._most_rules and len(self._kept) > 1:
            _, (_, dropped, _, _) = self._kept.popitem(last=False)
            self._rules -= _weight(dropped)
        return ranked

    def _updated(
        self, catalog: Catalog, entry: Entry, known: Entry | None, ranked: RankedRules[Rule] | None
    ) -> RankedRules[Rule]:
        if (
            known is None
            or ranked is None
            or known.setting.configurable_features != entry.setting.configurable_features
        ):
            return ranked_rules(catalog, entry)
        changed = entry.log.since(known.setting.revision)
        if changed is None:
            return ranked_rules(catalog, entry)
        return RankedRules(after_changes(catalog, entry, ranked, changed))


def after_changes(catalog: Catalog, entry: Entry, before: RankedRules[Rule], changed: Iterable[int]) -> RuleSet[Rule]:
    """Return the rules of a setting, from those it had before some of them changed, with the same features.

    Args:
        catalog: The catalog that has the setting.
        entry: The setting as it is.
        before: The rules it had.
        changed: The ids of the rules that were added, changed or removed since.
    """
    changed = list(changed)
    base = RuleSet(before.features, before.shapes)
    left = [entry.rules[rule_id] for rule_id in changed if rule_id in entry.rules]
    return _rule_set(catalog, entry, (base, changed), left)


def _rule_set(
    catalog: Catalog, entry: Entry, base: tuple[RuleSet[Rule], list[int]] | None, rules: Iterable[Rule]
) -> RuleSet[Rule]:
    features = tuple(catalog.in_order(entry.setting.configurable_features))
    builder: RuleSetBuilder[Rule] = RuleSetBuilder(features, None if base is None else base[0])
    if base is not None:
        builder.remove(base[1])
    by_features: dict[tuple[str, ...], list[Rule]] = {}
    for rule in rules:
        if rule.served:
            by_features.setdefault(tuple([feature for feature, _ in rule.conditions]), []).append(rule)
    for names, batch in by_features.items():
        columns = [[rule.conditions[position][1] for rule in batch] for position in range(len(names))]
        builder.add(RuleBatch([rule.id for rule in batch], names, columns, batch))
    return builder.build(catalog.context_features)
