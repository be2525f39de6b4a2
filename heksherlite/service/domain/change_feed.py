"""The latest changes by revision, for streams of changes."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Conditions, Entry
from heksherlite.service.domain.filters import ContextFilter
from heksherlite.service.domain.lineage import RevisionId

_MOST_REVISIONS: Final = 1_000
"""The number of revisions that are kept, for clients that reconnect."""

ChangedSettings: TypeAlias = Mapping[str, frozenset[Conditions] | None]
"""By the name of the setting: the conditions of the rules that changed, or None if the setting itself changed."""


@dataclass(frozen=True, slots=True)
class Interest:
    """The settings and rules that a stream is about; None stands for all.

    Settings whose names do not begin with ``setting_prefix`` are never included.
    """

    setting_names: Sequence[str] | None
    context_filter: ContextFilter | None
    setting_prefix: str = ""

    def names_in(self, changed: ChangedSettings, catalog: Catalog) -> list[str]:
        """Return the sorted names of the settings of interest that changed.

        Args:
            changed: The changes.
            catalog: The catalog after them.
        """
        names: Iterable[str] = changed.keys()
        if self.setting_names is not None:
            entries = [(name, catalog.find(name)) for name in self.setting_names]
            names = {name if entry is None else entry.setting.name for name, entry in entries} & changed.keys()
        within = (name for name in names if name.startswith(self.setting_prefix))
        return sorted(name for name in within if self._concerns(changed[name]))

    def _concerns(self, conditions: frozenset[Conditions] | None) -> bool:
        return conditions is None or self.context_filter is None or any(map(self.context_filter.passes, conditions))


class ChangeFeed:
    """Keeps the latest changes.

    Args:
        catalog: The catalog before the first change.

    Attributes:
        catalog: The newest catalog.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._complete_after = catalog.counters.revision
        self._revisions: deque[tuple[int, ChangedSettings]] = deque()
        self._merged: dict[int, ChangedSettings | None] = {}

    @property
    def revision(self) -> RevisionId:
        """The name of the newest revision."""
        return self.catalog.counters.revision_id

    def advance(self, catalog: Catalog) -> None:
        """Add the changes up to the next catalog, which is one or more revisions later."""
        before, self.catalog = self.catalog, catalog
        self._merged.clear()
        changed = _changed(before, catalog)
        if changed is None:
            self._revisions.clear()
            self._complete_after = self.revision.number
            return
        self._revisions.append((self.revision.number, changed))
        while len(self._revisions) > _MOST_REVISIONS:
            self._complete_after, _ = self._revisions.popleft()

    def since(self, revision: RevisionId) -> ChangedSettings | None:
        """Return what changed after a revision, or None if that is unknown and may be everything."""
        if revision.number < self._complete_after or revision not in self.catalog.lineage:
            return None
        if revision.number not in self._merged:
            self._merged[revision.number] = self._merge(revision.number)
        return self._merged[revision.number]

    def _merge(self, revision: int) -> ChangedSettings:
        merged: dict[str, frozenset[Conditions] | None] = {}
        for changed_at, changed in self._revisions:
            if changed_at <= revision:
                continue
            for name, conditions in changed.items():
                others = merged.get(name, frozenset())
                merged[name] = None if conditions is None or others is None else conditions | others
        return merged


def _changed(before: Catalog, after: Catalog) -> ChangedSettings | None:
    """Return the changes, or None if everything may have changed.

    Everything may have changed if the context features changed, or if the earlier catalog did not lead to the later
    one.
    """
    if (before.counters.database_id, before.context_features) != (after.counters.database_id, after.context_features):
        return None
    if before.counters.revision_id not in after.lineage:
        return None
    changed: dict[str, frozenset[Conditions] | None] = {}
    for setting_id, entry in after.entries.items():
        known = before.entries.get(setting_id)
        if known is not entry:
            changed[entry.setting.name] = None if known is None else _changed_conditions(known, entry)
            if known is not None:
                changed |= dict.fromkeys(_names(known) - _names(entry) | {known.setting.name} - {entry.setting.name})
    for setting_id in before.entries.keys() - after.entries.keys():
        changed |= dict.fromkeys(_names(before.entries[setting_id]) - after.ids_by_name.keys())
    return changed


def _names(entry: Entry) -> set[str]:
    return {entry.setting.name, *entry.setting.aliases}


def _changed_conditions(before: Entry, after: Entry) -> frozenset[Conditions] | None:
    number, nonce = after.setting.revision_id
    if replace(before.setting, revision=number, nonce=nonce) != after.setting:
        return None
    rule_ids = after.log.since(before.setting.revision)
    if rule_ids is None:
        return None
    rules = (after.rules.get(rule_id) or before.rules.get(rule_id) for rule_id in rule_ids)
    return frozenset(rule.conditions for rule in rules if rule is not None)
