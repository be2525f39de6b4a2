"""A catalog to try changes on, one after another, in time proportional to the changes."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from itertools import chain
from typing import Any, TypeAlias, TypeVar, cast

from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Conditions, Entry, Rule, Setting
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.snapshots import of_rule, of_setting

K = TypeVar("K")
V = TypeVar("V")

RuleKey: TypeAlias = int | tuple[int, Conditions]
"""A rule, by its id, or by its setting and conditions."""


class Overlay(MutableMapping[K, V]):
    """A mutable view of a mapping that records changes and leaves the mapping unchanged.

    Args:
        below: The mapping.

    Attributes:
        changed: The values that replace values of the mapping.
        added: The items that the mapping does not have.
        removed: The keys of the mapping that were removed.
    """

    def __init__(self, below: Mapping[K, V]) -> None:
        self._below = below
        self.changed: dict[K, V] = {}
        self.added: dict[K, V] = {}
        self.removed: set[K] = set()

    def __getitem__(self, key: K) -> V:
        for mapping in (self.changed, self.added):
            if key in mapping:
                return mapping[key]
        if key in self.removed:
            raise KeyError(key)
        return self._below[key]

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of a key, or a default. It is called for each operation, so it raises nothing."""
        if key in self.added:
            return self.added[key]
        if key in self.changed:
            return self.changed[key]
        return default if key in self.removed else self._below.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self.changed or key in self.added or (key in self._below and key not in self.removed)

    def __setitem__(self, key: K, value: V) -> None:
        if key in self._below:
            self.removed.discard(key)
            self.changed[key] = value
        else:
            self.added[key] = value

    def __delitem__(self, key: K) -> None:
        if key in self.added:
            del self.added[key]
        elif key in self:
            self.changed.pop(key, None)
            self.removed.add(key)
        else:
            raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        return chain((key for key in self._below if key not in self.removed), self.added)

    def __reversed__(self) -> Iterator[K]:
        below = cast("dict[K, V]", self._below)
        return chain(reversed(self.added), (key for key in reversed(below) if key not in self.removed))

    def __len__(self) -> int:
        return len(self._below) - len(self.removed) + len(self.added)


class WorkingCopy:
    """A catalog and what was changed in it so far.

    Changes of single rules wait until something needs them, because making many at once takes a fraction of the time.

    Args:
        catalog: The catalog to begin with. It stays as it is.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._base = catalog
        self._entries = Overlay(catalog.entries)
        self._rules = Overlay(catalog.rules)
        names = Overlay(catalog.ids_by_name)
        self._catalog = replace(catalog, entries=self._entries, rules=self._rules, ids_by_name=names)
        self._waiting: list[Rule] = []
        self._waiting_removals: set[int] = set()
        self._waiting_keys: set[RuleKey] = set()
        self.next_rule_id = catalog.counters.last_rule_id + 1
        """The id of the next new rule."""

    @property
    def catalog(self) -> Catalog:
        """The catalog with the changes, at the revision of the first one. It is valid until the next change."""
        self._make_waiting()
        return self._catalog

    @property
    def present(self) -> Catalog:
        """The catalog without the changes that wait, which `entry_with` and `catalog_with` have looked for."""
        return self._catalog

    def entry_with(self, setting_name: str, conditions: Conditions) -> Entry | None:
        """Return the setting of a name or alias, or None. Its rule with some conditions is up to date in it.

        Raises:
            OutsidePrefixError: The catalog is limited to other settings.
        """
        entry = self._catalog.find(setting_name)
        if entry is None or not self._waiting_keys:
            return entry
        key = entry.ids_by_conditions.get(conditions) or (entry.setting.id, conditions)
        return self.catalog.find(setting_name) if key in self._waiting_keys else entry

    def catalog_with(self, rule_id: int) -> Catalog:
        """Return the catalog. A rule is up to date in it."""
        return self.catalog if rule_id in self._waiting_keys else self._catalog

    def apply(self, changes: Changes) -> None:
        """Make changes that were decided against the catalog, or against what is up to date for their rule."""
        if changes.settings or changes.removed_settings or changes.context_features is not None:
            self._make_waiting()
            self._make(changes)
            self.next_rule_id = self._catalog.counters.last_rule_id + 1
            return
        for rule in changes.rules:
            self._waiting.append(rule)
            self._waiting_keys.add(rule.id)
            self._waiting_keys.add((rule.setting_id, rule.conditions))
            if rule.id >= self.next_rule_id:
                self.next_rule_id = rule.id + 1
        if changes.removed_rules:
            self._waiting_removals |= changes.removed_rules
            self._waiting_keys |= changes.removed_rules

    def _make_waiting(self) -> None:
        if self._waiting_keys:
            self._make(Changes(rules=tuple(self._waiting), removed_rules=frozenset(self._waiting_removals)))
            self._waiting.clear()
            self._waiting_removals.clear()
            self._waiting_keys.clear()

    def _make(self, changes: Changes) -> None:
        self._catalog = self._catalog.after(changes, self._catalog.numbered_after(changes), copied=_overlaid)

    def changes(self) -> Changes:
        """Return the changes from the original catalog to the current one."""
        features = self.catalog.context_features
        removed_settings = frozenset(self._entries.removed)
        removed_rules = frozenset(
            [rule for rule in self._rules.removed if self._base.rules[rule].setting_id not in removed_settings]
        )
        return Changes(
            context_features=None if features == self._base.context_features else features,
            settings=tuple([entry.setting for entry in self._entries.changed.values() if self._differs(entry.setting)]),
            rules=(
                *[rule for _, rule in sorted(self._rules.changed.items()) if self._differs_from_base(rule)],
                *[rule for _, rule in sorted(self._rules.added.items())],
            ),
            removed_settings=removed_settings,
            removed_rules=removed_rules,
        )

    def _differs(self, setting: Setting) -> bool:
        return not same_json(of_setting(self._base.entries[setting.id].setting), of_setting(setting))

    def _differs_from_base(self, rule: Rule) -> bool:
        return not same_json(of_rule(self._base.rules[rule.id]), of_rule(rule))


def _overlaid(mapping: Mapping[Any, Any]) -> MutableMapping[Any, Any]:
    return mapping if isinstance(mapping, Overlay) else Overlay(mapping)
