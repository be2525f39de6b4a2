"""The history: what each write changed, who made it and why; and the catalog at an earlier revision."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from heksherlite.service.domain import snapshots
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.proposals import Proposal

Subject: TypeAlias = Literal["application", "group", "secret", "proposal"]
ChangeKind: TypeAlias = Literal["context_features", "setting", "rule"] | Subject


@dataclass(frozen=True, slots=True)
class Change:
    """A setting, a rule, the list of context features, or another subject, before and after a write.

    Attributes:
        setting_id: The id of the setting, or of the rule's setting; None for anything else.
        rule_id: The id of the rule; None for anything else.
        setting_name: The name of the setting after the write, or its last name.
        before: The complete state before the write, as JSON; None if it did not exist.
        after: The complete state after the write, as JSON; None if it no longer exists.
        subject: The kind of the subject, if it is neither a setting, a rule, nor the context features.
        subject_name: The name or id of that subject.
    """

    setting_id: int | None
    rule_id: int | None
    setting_name: str | None
    before: Json
    after: Json
    subject: Subject | None = None
    subject_name: str | None = None

    @property
    def kind(self) -> ChangeKind:
        """The kind of what changed."""
        if self.subject is not None:
            return self.subject
        return "context_features" if self.setting_id is None else "setting" if self.rule_id is None else "rule"


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one write.

    ``changes`` holds all ``change_count`` changes, or the first ones if fewer were requested.
    """

    revision: int
    time: datetime
    cause: Cause
    change_count: int
    changes: tuple[Change, ...]


def added_setting(setting: Setting) -> Change:
    """Return the change that adds a setting."""
    return _of_setting(setting, before=None, after=setting)


def added_rule(setting_name: str, rule: Rule) -> Change:
    """Return the change that adds a rule."""
    return _of_rule(setting_name, rule, before=None, after=rule)


def removed_rule(setting_name: str, rule: Rule) -> Change:
    """Return the change that removes a rule."""
    return _of_rule(setting_name, rule, before=rule, after=None)


def changes_between(
    catalog: Catalog, changes: Changes, *, without_rules_of: AbstractSet[int] = frozenset()
) -> Iterator[Change]:
    """Yield the changes to a catalog, one for each setting, rule or other subject.

    Args:
        catalog: The catalog before the changes.
        changes: The changes.
        without_rules_of: The ids of removed settings whose rules are left out.
    """
    if changes.context_features is not None:
        yield Change(None, None, None, list(catalog.context_features), list(changes.context_features))
    for setting_id in sorted(changes.removed_settings):
        entry = catalog.entries[setting_id]
        yield _of_setting(entry.setting, before=entry.setting, after=None)
        for rule in () if setting_id in without_rules_of else entry.rules.values():
            yield removed_rule(entry.setting.name, rule)
    names = {setting.id: setting.name for setting in changes.settings}
    for setting in changes.settings:
        known = catalog.entries.get(setting.id)
        yield _of_setting(setting, before=None if known is None else known.setting, after=setting)
    for rule_id in sorted(changes.removed_rules):
        rule = catalog.rules[rule_id]
        yield removed_rule(_setting_name(catalog, names, rule), rule)
    for rule in changes.rules:
        yield _of_rule(_setting_name(catalog, names, rule), rule, before=catalog.rules.get(rule.id), after=rule)
    for proposal in changes.proposals:
        yield _of_proposal(catalog.proposals.get(proposal.id), proposal)


def as_of(catalog: Catalog, undone: Iterable[Change], revision: RevisionId) -> Catalog:
    """Return the catalog at an earlier revision.

    Args:
        catalog: A later catalog.
        undone: For everything that has changed since the revision, the first change after it.
        revision: The earlier revision.
    """
    features: tuple[str, ...] | None = None
    settings: list[Setting] = []
    rules: list[Rule] = []
    new_settings: set[int] = set()
    new_rules: set[int] = set()
    for change in undone:
        if change.setting_id is None:
            features = tuple(change.before)
        elif change.rule_id is None:
            if change.before is None:
                new_settings.add(change.setting_id)
            else:
                setting_id = change.setting_id
                settings.append(snapshots.setting_from(change.before, setting_id=setting_id, revision=revision.number))
        elif change.before is None:
            new_rules.add(change.rule_id)
        else:
            rules.append(snapshots.rule_from(change.before, rule_id=change.rule_id, setting_id=change.setting_id))
    rules.sort(key=lambda rule: rule.id)
    changes = Changes(features, tuple(settings), tuple(rules), frozenset(new_settings), frozenset(new_rules))
    touched_features = min(revision, catalog.counters.features_id)
    state = replace(
        catalog.counters,
        revision=revision.number,
        revision_nonce=revision.nonce,
        features_revision=touched_features.number,
        features_nonce=touched_features.nonce,
    )
    return catalog.after(changes, state, catalog.lineage)


def _setting_name(catalog: Catalog, names: dict[int, str], rule: Rule) -> str:
    return names.get(rule.setting_id) or catalog.entries[rule.setting_id].setting.name


def _of_setting(setting: Setting, *, before: Setting | None, after: Setting | None) -> Change:
    shown_before = None if before is None else snapshots.of_setting(before)
    shown_after = None if after is None else snapshots.of_setting(after)
    return Change(setting.id, None, setting.name, shown_before, shown_after)


def _of_rule(setting_name: str, rule: Rule, *, before: Rule | None, after: Rule | None) -> Change:
    shown_before = None if before is None else snapshots.of_rule(before)
    shown_after = None if after is None else snapshots.of_rule(after)
    return Change(rule.setting_id, rule.id, setting_name, shown_before, shown_after)


def _of_proposal(before: Proposal | None, after: Proposal) -> Change:
    shown_before = None if before is None else snapshots.of_proposal(before)
    return Change(None, None, None, shown_before, snapshots.of_proposal(after), "proposal", str(after.id))
