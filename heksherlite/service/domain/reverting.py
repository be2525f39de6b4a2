"""Reverts an earlier change, if its result is unchanged and nothing depends on it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain import snapshots
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.fit import default_misfits, rule_misfits
from heksherlite.service.domain.history import Change, Record
from heksherlite.service.domain.json_values import Json, same_json
from heksherlite.service.errors import ConflictsError

_MAX_CONFLICTS: Final = 100
"""The maximal number of conflicts that a response lists."""


def revert(catalog: Catalog, record: Record, now: datetime) -> Decision[int]:
    """Revert a change. The result is the new revision.

    Only the fields that the change modified are restored. Settings and rules that it removed are restored with their
    ids.

    Args:
        catalog: The current catalog.
        record: The complete record of the change.
        now: The time, which determines whether a scheduled rule is served.

    Raises:
        ConflictsError: The change cannot be reverted.
    """
    undoing = _Undoing(catalog, now)
    for change in record.changes:
        undoing.undo(change)
    undoing.check()
    changes = undoing.changes()
    if not undoing.conflicts and not changes:
        undoing.conflicts.append("nothing is left of this change that could be undone")
    if undoing.conflicts:
        more = len(undoing.conflicts) - _MAX_CONFLICTS
        summary = [f"{more} more conflicts"] if more > 0 else []
        raise ConflictsError([*undoing.conflicts[:_MAX_CONFLICTS], *summary])
    return Decision(catalog.next_revision, changes)


class _Undoing:
    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self.conflicts: list[str] = []
        self._catalog = catalog
        self._now = now
        self._features: tuple[str, ...] | None = None
        self._settings: dict[int, Setting] = {}
        self._rules: dict[int, Rule] = {}
        self._removed_settings: set[int] = set()
        self._removed_rules: set[int] = set()

    def undo(self, change: Change) -> None:
        if change.subject == "proposal":
            return  # what it changed is undone; that it was decided stays so
        if change.subject is not None:
            what = f"{change.subject} {change.subject_name!r}"
            self.conflicts.append(f"{what}: such changes cannot be undone, because tokens and secrets do not come back")
            return
        if change.setting_id is None:
            self._undo_features(change)
            return
        what = f"setting {change.setting_name!r}" if change.rule_id is None else f"rule {change.rule_id}"
        present = self._present(change.setting_id, change.rule_id)
        before, after = _of_writers(change.before), _of_writers(change.after)
        if after is None and present is None:
            self._store(change.setting_id, change.rule_id, before)
        elif after is None:
            self.conflicts.append(f"{what} exists again")
        elif present is None:
            self.conflicts.append(f"{what} was removed since")
        elif before is None:
            self._require_unchanged(what, present, after, present.keys() | after.keys())
            self._remove(change.setting_id, change.rule_id)
        else:
            touched = _differences(before, after) & _differences(before, present)
            self._require_unchanged(what, present, after, touched)
            if touched:
                untouched = {field: value for field, value in present.items() if field not in touched}
                undone = {field: before[field] for field in touched if field in before}
                self._store(change.setting_id, change.rule_id, untouched | undone)

    def changes(self) -> Changes:
        removed_rules = {
            rule_id
            for rule_id in self._removed_rules
            if self._catalog.rules[rule_id].setting_id not in self._removed_settings
        }
        return Changes(
            self._features,
            tuple(self._settings.values()),
            tuple(self._rules[rule_id] for rule_id in sorted(self._rules)),
            frozenset(self._removed_settings),
            frozenset(removed_rules),
        )

    def check(self) -> None:
        if self._features is not None:
            self._check_features(set(self._catalog.context_features) - set(self._features))
        for setting_id in self._removed_settings:
            if left := sorted(self._catalog.entries[setting_id].rules.keys() - self._removed_rules):
                name = self._catalog.entries[setting_id].setting.name
                self.conflicts.append(f"setting {name!r} has got rules since: {left}")
        for setting in self._settings.values():
            self._check_setting(setting)
        for rule in self._rules_to_check():
            self._check_rule(rule)

    def _undo_features(self, change: Change) -> None:
        present = list(self._catalog.context_features)
        if present == change.after:
            self._features = tuple(change.before)
        elif present != change.before:
            self.conflicts.append(f"the context features were changed since: they are {present}, not {change.after}")

    def _require_unchanged(
        self, what: str, present: dict[str, Json], after: dict[str, Json], fields: Iterable[str]
    ) -> None:
        for field in sorted(fields):
            now, then = present.get(field, NO_VALUE), after.get(field, NO_VALUE)
            if not same_json(now, then):
                self.conflicts.append(f"{what} was changed since: its {field} is {_shown(now)}, not {_shown(then)}")

    def _present(self, setting_id: int, rule_id: int | None) -> dict[str, Json] | None:
        if rule_id is None:
            entry = self._catalog.entries.get(setting_id)
            return None if entry is None else snapshots.of_setting(entry.setting)
        rule = self._catalog.rules.get(rule_id)
        return None if rule is None else _of_writers(snapshots.of_rule(rule))

    def _store(self, setting_id: int, rule_id: int | None, snapshot: Json) -> None:
        if rule_id is None:
            revision = self._catalog.next_revision
            self._settings[setting_id] = snapshots.setting_from(snapshot, setting_id=setting_id, revision=revision)
        else:
            rule = snapshots.rule_from(snapshot, rule_id=rule_id, setting_id=setting_id)
            self._rules[rule_id] = replace(rule, schedule=rule.schedule and rule.schedule.at(self._now))

    def _remove(self, setting_id: int, rule_id: int | None) -> None:
        if rule_id is None:
            self._removed_settings.add(setting_id)
        else:
            self._removed_rules.add(rule_id)

    def _check_features(self, removed: set[str]) -> None:
        for entry in self._catalog.entries.values():
            if used := sorted(removed & entry.setting.configurable_features):
                self.conflicts.append(f"context features {used} are in use by setting {entry.setting.name!r}")

    def _check_setting(self, setting: Setting) -> None:
        for name in (setting.name, *sorted(setting.aliases)):
            other = self._catalog.find(name)
            if other is not None and other.setting.id != setting.id:
                self.conflicts.append(f"the name {name!r} now belongs to setting {other.setting.name!r}")
        if missing := sorted(setting.configurable_features.difference(self._catalog.context_features)):
            self.conflicts.append(f"context features {missing} of setting {setting.name!r} do not exist any more")
        self.conflicts += default_misfits(setting)

    def _rules_to_check(self) -> Iterator[Rule]:
        yield from self._rules.values()
        for setting_id in self._settings.keys() & self._catalog.entries.keys():
            for rule in self._catalog.entries[setting_id].rules.values():
                if rule.id not in self._rules and rule.id not in self._removed_rules:
                    yield rule

    def _check_rule(self, rule: Rule) -> None:
        entry = self._catalog.entries.get(rule.setting_id)
        setting = self._settings.get(rule.setting_id) or (None if entry is None else entry.setting)
        if setting is None:
            self.conflicts.append(f"the setting of rule {rule.id} was removed since")
            return
        self.conflicts += [f"rule {rule.id}: {misfit}" for misfit in rule_misfits(setting, rule)]
        other = None if entry is None else entry.ids_by_conditions.get(rule.conditions)
        if other not in (None, rule.id):
            self.conflicts.append(f"rule {other} now has the conditions of rule {rule.id}")


def _of_writers(snapshot: Json) -> Any:
    """Return a snapshot without the phase, which is computed from the time and never written."""
    return snapshot and {field: value for field, value in snapshot.items() if field != "phase"}


def _differences(one: dict[str, Json], other: dict[str, Json]) -> set[str]:
    # A field that is not there is something else than one that is null.
    fields = one.keys() | other.keys()
    return {field for field in fields if not same_json(one.get(field, NO_VALUE), other.get(field, NO_VALUE))}


def _shown(value: Json) -> str:
    return "not set" if value is NO_VALUE else repr(value)
