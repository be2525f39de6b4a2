"""A setting, a rule, and a setting with its rules, as the service stores them."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.change_log import ChangeLog
from heksherlite.service.domain.declarers import Declarer
from heksherlite.service.domain.json_values import Json, Metadata
from heksherlite.service.domain.lineage import NO_NONCE, RevisionId
from heksherlite.service.domain.schedule import Phase, Schedule
from heksherlite.service.domain.versions import Version
from heksherlite.values.wire_types import WireType

if TYPE_CHECKING:
    from heksherlite.service.domain.value_schemas import ValueSchema

Conditions: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of context feature and value, sorted by feature name, so that equal conditions are equal tuples."""

Copying: TypeAlias = Callable[[Mapping[Any, Any]], MutableMapping[Any, Any]]
"""Returns a mutable copy of a mapping."""


Members: TypeAlias = Mapping[int, None]
"""A set of ids: the keys of a mapping, so that `Copying` copies it as it copies other mappings."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting with the changes since its declaration.

    ``id`` never changes and is never used again, so rules keep their setting when it is renamed. ``revision``
    is the revision at which the setting or one of its rules last changed. ``operator_default_value`` is `NO_VALUE` if
    no operator set one, and ``operator_default_metadata`` is about it. Only proposals change a setting that
    ``is_protected``. Tokens that have only the scope ``evaluate`` see the settings that are ``is_client_visible``.
    ``schema`` is None if every value of the type is accepted. ``declarers`` may upgrade it: who declared it first, and
    those that operators added.
    """

    id: int
    name: str
    type: WireType
    declared_default_value: Json
    configurable_features: frozenset[str]
    version: Version
    metadata: Metadata
    aliases: frozenset[str]
    revision: int
    operator_default_value: Json = NO_VALUE
    operator_default_metadata: Metadata = field(default_factory=dict)
    is_protected: bool = False
    is_client_visible: bool = False
    nonce: str = NO_NONCE
    schema: "ValueSchema | None" = None
    declarers: frozenset[Declarer] = frozenset()

    @property
    def revision_id(self) -> RevisionId:
        """The name of the revision at which the setting or one of its rules last changed."""
        return RevisionId(self.revision, self.nonce)

    @property
    def has_operator_default(self) -> bool:
        """Whether an operator set a default in place of the declared one."""
        return self.operator_default_value is not NO_VALUE

    @property
    def default_value(self) -> Json:
        """The operator's default if there is one, otherwise the declared default."""
        return self.operator_default_value if self.has_operator_default else self.declared_default_value


@dataclass(frozen=True, slots=True)
class Rule:
    """A value of a setting in the contexts that match all conditions."""

    id: int
    setting_id: int
    conditions: Conditions
    value: Json
    metadata: Metadata
    schedule: Schedule | None = None

    @property
    def served(self) -> bool:
        """Whether clients receive the rule."""
        return self.schedule is None or self.schedule.phase is Phase.ACTIVE


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting with its rules in ascending order of their ids, and its latest changes."""

    setting: Setting
    log: ChangeLog
    rules: Mapping[int, Rule] = field(default_factory=dict)
    ids_by_conditions: Mapping[Conditions, int] = field(default_factory=dict)
    unserved: Members = field(default_factory=dict)

    @property
    def served(self) -> Mapping[int, Rule]:
        """The rules that clients receive, in ascending order of their ids."""
        if not self.unserved:
            return self.rules
        return {rule_id: rule for rule_id, rule in self.rules.items() if rule_id not in self.unserved}

    def with_rules(
        self, stored: Sequence[Rule], removed: AbstractSet[int], logged_at: int | None, *, copied: Copying
    ) -> "Entry":
        """Return the entry after some of its rules were stored or removed.

        Args:
            stored: Rules of the setting, new or changed.
            removed: The ids of removed rules, also those of other settings.
            logged_at: The revision at which the log records this; None for a new entry, whose log begins after it.
            copied: Makes the mutable mappings of the new entry from those of this one.
        """
        # A new rule has the highest id so far and a changed one keeps its place, so the rules stay ascending by id.
        # Only a rule that was removed and is restored makes sorting necessary.
        rules = copied(self.rules)
        ids_by_conditions = copied(self.ids_by_conditions)
        fewer, others = (removed, rules) if len(removed) <= len(rules) else (rules, removed)
        leaving = frozenset([rule_id for rule_id in fewer if rule_id in others])
        for rule_id in leaving:
            del ids_by_conditions[rules.pop(rule_id).conditions]
        highest = next(reversed(rules), 0)
        is_restored = any(rule.id < highest and rule.id not in rules for rule in stored)
        for rule in stored:
            rules[rule.id] = rule
            ids_by_conditions[rule.conditions] = rule.id
        if is_restored:
            rules = dict(sorted(rules.items()))
        unserved = with_members(
            self.unserved,
            added=[rule.id for rule in stored if not rule.served],
            removed=[*leaving, *[rule.id for rule in stored if rule.served]],
            copied=copied,
        )
        log = self.log
        if logged_at is not None:
            log = log.with_change(logged_at, leaving.union([rule.id for rule in stored]))
        return Entry(self.setting, log, rules, ids_by_conditions, unserved)


def with_members(members: Members, *, added: Iterable[int], removed: Iterable[int], copied: Copying) -> Members:
    """Return a set with some members added and others removed; the same set if nothing changes.

    Args:
        members: The set.
        added: What it has to contain.
        removed: What it must not contain.
        copied: Makes the new set from this one.
    """
    new = [member for member in added if member not in members]
    leaving = [member for member in removed if member in members]
    if not new and not leaving:
        return members
    after = copied(members)
    for member in leaving:
        del after[member]
    after.update(dict.fromkeys(new))
    return after
