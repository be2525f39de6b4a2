"""Everything that the service knows at one revision, in memory.

A `Catalog` never changes. A write is decided against one (`Decision`), its `Changes` go to the database, and
the same `Changes` applied to the catalog make the next one. What another process wrote arrives as `Changes` too.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from heksherlite.service.domain.change_log import ChangeLog
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.entities import Copying, Entry, Members, Rule, Setting, with_members
from heksherlite.service.domain.lineage import NO_LINEAGE, NO_NONCE, Lineage, RevisionId
from heksherlite.service.domain.proposals import Proposal
from heksherlite.service.errors import NotFoundError, OutsidePrefixError

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a write stores and removes. The rules of a removed setting go with it and are not listed."""

    context_features: tuple[str, ...] | None = None
    settings: tuple[Setting, ...] = ()
    rules: tuple[Rule, ...] = ()
    removed_settings: frozenset[int] = frozenset()
    removed_rules: frozenset[int] = frozenset()
    proposals: tuple[Proposal, ...] = ()

    def __bool__(self) -> bool:
        return self != Changes()

    def at(self, revision: RevisionId) -> "Changes":
        """Return the changes with the revision that stores them."""
        number, nonce = revision
        return replace(
            self, settings=tuple(replace(setting, revision=number, nonce=nonce) for setting in self.settings)
        )


@dataclass(frozen=True, slots=True)
class Decision(Generic[T_co]):
    """The outcome of a request to write: its result for the caller, and the changes to make."""

    result: T_co
    changes: Changes = field(default_factory=Changes)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything at one revision. The first catalog is `Catalog(counters)`; `after` returns the following ones.

    ``setting_prefix`` is not empty in a catalog that is ``limited_to`` some settings: only these and their rules are
    in ``entries`` and ``rules``, and asking for others by `find`, `entry` or `rule` is an `OutsidePrefixError`.
    """

    counters: Counters
    context_features: tuple[str, ...] = ()
    entries: Mapping[int, Entry] = field(default_factory=dict)
    ids_by_name: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[int, Rule] = field(default_factory=dict)
    scheduled: Members = field(default_factory=dict)
    """The ids of the rules that will start or end to be served."""
    lineage: Lineage = NO_LINEAGE
    """The revisions that led to this one."""
    proposals: Mapping[int, Proposal] = field(default_factory=dict)
    """The proposals that are still to be decided or applied."""
    setting_prefix: str = ""
    names_revision: int = field(default=0, compare=False)
    """The latest revision at which a name may have gone: a setting was removed or renamed, or all was read at once."""

    def find(self, name: str) -> Entry | None:
        """Return the setting of a name or alias, with its rules, or None.

        Raises:
            OutsidePrefixError: The catalog is limited to other settings. This one may exist or not.
        """
        setting_id = self.ids_by_name.get(name)
        entry = None if setting_id is None else self.entries.get(setting_id)
        if entry is None and not (setting_id is None and name.startswith(self.setting_prefix)):
            raise OutsidePrefixError(self.setting_prefix)
        return entry

    def entry(self, name: str) -> Entry:
        """Return the setting of a name or alias, with its rules.

        Raises:
            NotFoundError: There is no such setting.
        """
        entry = self.find(name)
        if entry is None:
            raise NotFoundError(f"setting {name!r} does not exist")
        return entry

    def rule(self, rule_id: int) -> Rule:
        """Return a rule by its id.

        Raises:
            NotFoundError: There is no such rule, or it belongs to a setting to which the catalog is not limited. A
                token must not find out which ids other settings use.
        """
        rule = self.rules.get(rule_id)
        if rule is None:
            raise NotFoundError(f"rule {rule_id} does not exist")
        return rule

    def limited_to(self, setting_prefix: str) -> "Catalog":
        """Return the catalog for a token that is limited to settings whose names begin with a prefix."""
        if not setting_prefix:
            return self
        entries = {key: entry for key, entry in self.entries.items() if entry.setting.name.startswith(setting_prefix)}
        rules = {rule_id: rule for entry in entries.values() for rule_id, rule in entry.rules.items()}
        return replace(self, entries=entries, rules=rules, setting_prefix=setting_prefix)

    def require_within_limit(self, changes: Changes) -> None:
        """Check that changes only touch the settings to which the catalog is limited, before and after.

        Raises:
            OutsidePrefixError: They touch another setting.
        """
        if not self.setting_prefix:
            return
        touched = self.touched_settings(changes) | changes.removed_settings | {item.id for item in changes.settings}
        existing = {setting_id for setting_id in touched if setting_id <= self.counters.last_setting_id}
        within = (
            changes.context_features is None
            and existing <= self.entries.keys()
            and changes.removed_rules <= self.rules.keys()
            and all(setting.name.startswith(self.setting_prefix) for setting in changes.settings)
        )
        if not within:
            raise OutsidePrefixError(self.setting_prefix)

    def _proposals_after(self, changes: Changes) -> Mapping[int, Proposal]:
        if not changes.proposals:
            return self.proposals
        after = {**self.proposals, **{proposal.id: proposal for proposal in changes.proposals}}
        return {number: proposal for number, proposal in after.items() if proposal.is_pending}

    def in_order(self, features: Iterable[str]) -> list[str]:
        """Return context features sorted by the global order. Unknown ones come last, sorted by name."""
        index = {feature: position for position, feature in enumerate(self.context_features)}
        return sorted(features, key=lambda feature: (index.get(feature, len(index)), feature))

    def condition_order(self) -> Callable[[tuple[str, str]], int]:
        """Return the key that sorts conditions by the global order of their context features."""
        index = {feature: position for position, feature in enumerate(self.context_features)}
        return lambda condition: index[condition[0]]

    @property
    def next_revision(self) -> int:
        """The revision of the next write."""
        return self.counters.revision + 1

    def counters_after(self, changes: Changes, nonce: str = NO_NONCE) -> Counters:
        """Return the counters after a write of these changes, which drew a nonce."""
        revision = RevisionId(self.next_revision, nonce)
        features = self.counters.features_id if changes.context_features is None else revision
        return replace(
            self.numbered_after(changes),
            revision=revision.number,
            revision_nonce=revision.nonce,
            features_revision=features.number,
            features_nonce=features.nonce,
        )

    def numbered_after(self, changes: Changes) -> Counters:
        """Return the counters of this revision with the ids that these changes use."""
        if not (changes.settings or changes.rules or changes.proposals):
            return self.counters
        return replace(
            self.counters,
            last_setting_id=max([self.counters.last_setting_id, *[setting.id for setting in changes.settings]]),
            last_rule_id=max([self.counters.last_rule_id, *[rule.id for rule in changes.rules]]),
            last_proposal_id=max([self.counters.last_proposal_id, *[proposal.id for proposal in changes.proposals]]),
        )

    def touched_settings(self, changes: Changes) -> set[int]:
        """Return the ids of the settings whose rules these changes store or remove."""
        removed = (self.rules[rule_id] for rule_id in changes.removed_rules if rule_id in self.rules)
        return {rule.setting_id for rule in (*changes.rules, *removed)}

    def after(
        self, changes: Changes, counters: Counters, lineage: Lineage | None = None, *, copied: Copying = dict
    ) -> "Catalog":
        """Return the catalog after some changes.

        Args:
            changes: What was stored and removed. A removed setting or rule that is unknown here was added and removed
                between two reads of the database. Such a rule is only logged: a client may have it from elsewhere.
            counters: The counters after the changes. A setting of which only rules changed gets this revision. A listed
                setting keeps its own.
            lineage: The revisions that led to the new catalog, if there are several since this one.
            copied: Makes the mutable mappings of the new catalog from those of this one.
        """
        is_logged = counters.revision > self.counters.revision
        logged = counters.revision_id if is_logged else None
        entries, names = copied(self.entries), copied(self.ids_by_name)
        removed = [entries.pop(setting_id) for setting_id in changes.removed_settings if setting_id in entries]
        self._store_settings(changes, entries, logged)
        for entry in removed:
            _forget_names(names, entry.setting)
        for setting in changes.settings:
            if setting.id in self.entries:
                _forget_names(names, self.entries[setting.id].setting)
        for setting in changes.settings:
            names.update(dict.fromkeys((setting.name, *setting.aliases), setting.id))
        self._store_rules(changes, entries, counters, logged, copied)
        gone = changes.removed_rules.union(*[entry.rules for entry in removed])
        rules = copied(self.rules)
        for rule_id in gone:
            rules.pop(rule_id, None)
        rules.update((rule.id, rule) for rule in changes.rules)
        switching = [rule.id for rule in changes.rules if _has_switch(rule)]
        not_switching = {*gone, *[rule.id for rule in changes.rules]}.difference(switching)
        return Catalog(
            counters,
            self.context_features if changes.context_features is None else changes.context_features,
            entries,
            names,
            rules,
            with_members(self.scheduled, added=switching, removed=not_switching, copied=copied),
            lineage or self.lineage.after([] if logged is None else [logged]),
            self._proposals_after(changes),
            self.setting_prefix,
            counters.revision if logged is None or self._loses_names(changes) else self.names_revision,
        )

    def _loses_names(self, changes: Changes) -> bool:
        """Return whether a name may be gone after some changes, perhaps one that was never known here."""
        if changes.removed_settings or not self.counters.revision:
            return True
        known = [(self.entries.get(setting.id), setting) for setting in changes.settings]
        return any(setting.aliases if entry is None else entry.setting.name != setting.name for entry, setting in known)

    def _store_settings(self, changes: Changes, entries: MutableMapping[int, Entry], logged: RevisionId | None) -> None:
        """Put the stored settings of changes into entries. Write the change logs if there is a revision for it."""
        missed = frozenset() if logged is None else changes.removed_rules - self.rules.keys()
        for setting in changes.settings:
            known = entries.get(setting.id)
            if known is None:
                entries[setting.id] = Entry(setting, ChangeLog(setting.revision))
            else:
                # To which of the listed settings a missed rule belonged is unknown.
                log = known.log.with_change(logged.number, missed) if logged and missed else known.log
                entries[setting.id] = replace(known, setting=setting, log=log)

    def _store_rules(
        self,
        changes: Changes,
        entries: MutableMapping[int, Entry],
        counters: Counters,
        logged: RevisionId | None,
        copied: Copying,
    ) -> None:
        """Put the stored rules of changes into entries, and remove those that the changes remove."""
        stored: dict[int, list[Rule]] = {}
        for rule in changes.rules:
            stored.setdefault(rule.setting_id, []).append(rule)
        listed = {setting.id for setting in changes.settings}
        for setting_id in self.touched_settings(changes):
            if setting_id not in entries:
                continue
            logged_at = logged.number if logged is not None and setting_id in self.entries else None
            entry = entries[setting_id].with_rules(
                stored.get(setting_id, []), changes.removed_rules, logged_at, copied=copied
            )
            if setting_id not in listed and entry.setting.revision != counters.revision:
                touched = replace(entry.setting, revision=counters.revision, nonce=counters.revision_nonce)
                entry = replace(entry, setting=touched)
            entries[setting_id] = entry


def _has_switch(rule: Rule) -> bool:
    return rule.schedule is not None and rule.schedule.next_switch is not None


def _forget_names(names: MutableMapping[str, int], setting: Setting) -> None:
    for name in (setting.name, *setting.aliases):
        if names.get(name) == setting.id:
            del names[name]
