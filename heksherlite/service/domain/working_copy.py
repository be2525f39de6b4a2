"""A catalog to try changes on, one after another, in time proportional to the changes."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar, cast

from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.snapshots import of_rule, of_setting

K = TypeVar("K")
V = TypeVar("V")


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
        for mapping in (self.added, self.changed):
            if key in mapping:
                return mapping[key]
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

    Args:
        catalog: The catalog to begin with. It stays as it is.

    Attributes:
        catalog: The catalog with the changes, at the revision of the first one. It is valid until the next change.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._base = catalog
        self._entries = Overlay(catalog.entries)
        self._rules = Overlay(catalog.rules)
        names = Overlay(catalog.ids_by_name)
        self.catalog = replace(catalog, entries=self._entries, rules=self._rules, ids_by_name=names)

    def apply(self, changes: Changes) -> None:
        """Make changes that were decided against the catalog as it is now."""
        self.catalog = self.catalog.after(changes, self.catalog.numbered_after(changes), copied=_overlaid)

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
