"""A catalog to try changes on, one after another, in time proportional to the changes."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar, cast

from heksherlite.service.domain.catalog import Catalog, Changes, Rule, Setting
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.snapshots import of_rule, of_setting

K = TypeVar("K")
V = TypeVar("V")


class Overlay(MutableMapping[K, V]):
    """A mapping that keeps what changes beside another mapping, which stays as it is.

    Args:
        below: The other mapping.

    Attributes:
        stored: What was stored here.
        removed: The keys of the other mapping that were removed here.
    """

    def __init__(self, below: Mapping[K, V]) -> None:
        self._below = below
        self.stored: dict[K, V] = {}
        self.removed: set[K] = set()
        self._added = 0

    def __getitem__(self, key: K) -> V:
        if key in self.stored:
            return self.stored[key]
        if key in self.removed:
            raise KeyError(key)
        return self._below[key]

    def __contains__(self, key: object) -> bool:
        return key in self.stored or (key not in self.removed and key in self._below)

    def __setitem__(self, key: K, value: V) -> None:
        if key in self._below:
            self.removed.discard(key)
        elif key not in self.stored:
            self._added += 1
        self.stored[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self.stored.pop(key, None)
        if key in self._below:
            self.removed.add(key)
        else:
            self._added -= 1

    def __iter__(self) -> Iterator[K]:
        kept = (key for key in self._below if key not in self.removed)
        return chain(kept, (key for key in self.stored if key not in self._below))

    def __reversed__(self) -> Iterator[K]:
        added = [key for key in self.stored if key not in self._below]
        kept = (key for key in reversed(cast("dict[K, V]", self._below)) if key not in self.removed)
        return chain(reversed(added), kept)

    def __len__(self) -> int:
        return len(self._below) - len(self.removed) + self._added


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
        state = replace(self.catalog.state_after(changes), revision=self._base.state.revision)
        after = self.catalog.after(changes, state, copied=_overlaid)
        # `after` leaves out whether the catalog is limited to some settings: so far it was only made for whole ones.
        self.catalog = replace(after, setting_prefix=self._base.setting_prefix, rules_outside=self._base.rules_outside)

    def changes(self) -> Changes:
        """Return what is to be stored and removed to get from the first catalog to the present one."""
        features = self.catalog.context_features
        removed_settings = frozenset(self._entries.removed)
        removed_rules = frozenset(
            [rule for rule in self._rules.removed if self._base.rules[rule].setting_id not in removed_settings]
        )
        return Changes(
            context_features=None if features == self._base.context_features else features,
            settings=tuple([entry.setting for entry in self._entries.stored.values() if self._differs(entry.setting)]),
            rules=tuple([rule for _, rule in sorted(self._rules.stored.items()) if self._is_new(rule)]),
            removed_settings=removed_settings,
            removed_rules=removed_rules,
        )

    def _differs(self, setting: Setting) -> bool:
        known = self._base.entries.get(setting.id)
        return known is None or not same_json(of_setting(known.setting), of_setting(setting))

    def _is_new(self, rule: Rule) -> bool:
        known = self._base.rules.get(rule.id)
        return known is None or not same_json(of_rule(known), of_rule(rule))


def _overlaid(mapping: Mapping[Any, Any]) -> MutableMapping[Any, Any]:
    return mapping if isinstance(mapping, Overlay) else Overlay(mapping)
