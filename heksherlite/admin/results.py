"""What the service answers to operators, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from heksherlite.errors import OperationConflict
from heksherlite.operations import NOT_GIVEN, AnyOperation

ProposalState: TypeAlias = Literal["open", "approved", "applied", "rejected", "withdrawn", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The contexts that meet all conditions of ``where`` and none of the exceptions.

    Attributes:
        where: The conditions: for each context feature, the value that it has.
        exceptions: The conditions of the contexts that are left out.
        exceptions_truncated: Whether there are more exceptions than the service lists.
    """

    where: Mapping[str, str]
    exceptions: tuple[Mapping[str, str], ...] = ()
    exceptions_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import stored, or would store.

    Attributes:
        settings: The number of settings.
        rules: The number of rules.
        revision: The revision that the import made. In a dry run, the newest one.
        revision_name: The name of the revision.
    """

    settings: int
    rules: int
    revision: int
    revision_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedBy:
    """What a value comes from.

    Attributes:
        kind: ``rule``, ``operator_default`` or ``declared_default``.
        rule_id: The id of the rule, or None if it is a default.
    """

    kind: Literal["rule", "operator_default", "declared_default"]
    rule_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A region of contexts in which the value of a setting changes.

    Attributes:
        setting: The name of the setting.
        region: The region.
        before: The value before the change, as JSON.
        after: The value after it.
        before_by: What the value before the change comes from.
        after_by: What the value after it comes from.
    """

    setting: str
    region: Region
    before: Any
    after: Any
    before_by: DecidedBy
    after_by: DecidedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowedRule:
    """A rule that a change adds or changes and that never wins, because another rule wins wherever it matches.

    Attributes:
        setting: The name of the setting.
        rule_id: The id of the rule.
        where: The conditions of the rule.
        shadowed_by: The id of the other rule.
    """

    setting: str
    rule_id: int
    where: Mapping[str, str]
    shadowed_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a change does to the values of settings.

    Attributes:
        value_changes: The regions of contexts whose values change.
        shadowed_rules: The rules that change nothing.
        deleted_settings: The names of the settings that are deleted.
        truncated: Whether there is more than is listed.
        counts: If it is truncated, the number of regions of each setting.
        counts_are_minimums: Whether there may be even more regions than that.
    """

    value_changes: tuple[ValueChange, ...] = ()
    shadowed_rules: tuple[ShadowedRule, ...] = ()
    deleted_settings: tuple[str, ...] = ()
    truncated: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    counts_are_minimums: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one setting, rule or other thing.

    Attributes:
        kind: What changed, such as ``rule`` or ``setting``.
        setting: The name of the setting, if it is about one.
        rule_id: The id of the rule, if it is about one.
        name: The name of what changed, if it is neither.
        before: What it was, as JSON, or None if it did not exist.
        after: What it became, or None if it was deleted.
    """

    kind: str
    setting: str | None
    rule_id: int | None
    name: str | None = None
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResult:
    """What operations did, or would do.

    Attributes:
        revision: The revision of the change; the newest one if nothing changed, or in a dry run.
        revision_name: The name of this revision, which tells it from the one with the same number elsewhere.
        changes: What changed.
        rule_ids: For each operation, the id of the rule that it added or changed, or None.
        impact: What it does to the values of settings.
    """

    revision: int
    revision_name: str
    changes: tuple[Change, ...]
    rule_ids: tuple[int | None, ...]
    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The author of a change.

    Attributes:
        kind: Such as ``token``, ``person`` or ``anonymous``.
        name: The name of the token or person.
        address: The address of the request, where the service tells it.
    """

    kind: str
    name: str | None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All changes of one write, as the history records them.

    Attributes:
        revision: The revision of the write.
        time: When it happened, in UTC.
        author: Who made it.
        reason: Why.
        reverts: The revision that it reverts, or None.
        break_glass: Whether it changed protected settings in an emergency.
        changes: The changes. In a page of the history, the first hundred.
        change_count: The number of all changes.
    """

    revision: int
    time: datetime
    author: Author
    reason: str | None
    reverts: int | None
    break_glass: bool
    changes: tuple[Change, ...]
    change_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """The last write that changed a setting or one of its rules.

    Attributes:
        revision: The revision of the write.
        time: When it happened, in UTC.
        author: Who made it, as far as the token may know.
        reason: Why, as far as the token may know.
    """

    revision: int
    time: datetime
    author: Author
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Records of the history, the newest first.

    Attributes:
        records: The records.
        next: Where the next page begins, for the argument ``before``, or None if this is the last one.
    """

    records: tuple[Record, ...]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDetails:
    """A rule.

    Attributes:
        rule_id: Its id.
        setting: The name of its setting.
        feature_values: Its conditions, in the order of the context features.
        value: The value of the setting where the rule wins, as JSON.
        metadata: Its metadata.
        starts_at: From when it is served, in UTC. None if it has no start.
        ends_at: Until when it is served, in UTC. None if it has no end.
        phase: ``pending``, ``active`` or ``ended``. None if it has neither a start nor an end.
    """

    rule_id: int
    setting: str
    feature_values: Mapping[str, str]
    value: Any
    metadata: Mapping[str, Any]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDetails:
    """A setting.

    Attributes:
        name: Its name.
        type: Its type, as on the wire.
        default_value: Its value where no rule matches, as JSON.
        version: The version of its declaration.
        configurable_features: The context features that its rules may have conditions on.
        metadata: Its metadata.
        aliases: Its earlier names.
        declared_default_value: The program's default.
        operator_default_value: The operator's default, or `NOT_GIVEN` if there is none.
        operator_default_metadata: The metadata of the operator's default.
        protected: Whether only proposals change it.
        client_visible: Whether tokens that have only the scope ``evaluate`` see its values.
        last_change: The last write that changed it or one of its rules. None if it was not requested, or the history
            does not go back so far.
    """

    name: str
    type: str
    default_value: Any
    version: str
    configurable_features: tuple[str, ...]
    metadata: Mapping[str, Any]
    aliases: tuple[str, ...]
    declared_default_value: Any
    operator_default_value: Any = NOT_GIVEN
    operator_default_metadata: Mapping[str, Any] = field(default_factory=dict)
    protected: bool = False
    client_visible: bool = False
    last_change: LastChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationDifference:
    """A difference between a declaration and the stored setting.

    Attributes:
        level: ``minor`` or ``major``, the version that has to be raised for it; ``mismatch`` if it is impossible.
        attribute: The attribute that differs, or None.
        latest_value: The stored value of the attribute.
        message: What differs, for people, or None.
    """

    level: str
    attribute: str | None = None
    latest_value: Any = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationPreview:
    """What a declaration would do.

    Attributes:
        outcome: ``created``, ``uptodate``, ``upgraded`` or ``outdated``; ``mismatch`` if the version would have to be
            raised, and ``rejected`` if it would have to be raised more, or the stored rules do not fit.
        previous_version: The stored version, if it would be replaced.
        latest_version: The stored version, if the declared one is older.
        differences: The differences.
    """

    outcome: str
    previous_version: str | None = None
    latest_version: str | None = None
    differences: tuple[DeclarationDifference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on a proposal.

    Attributes:
        author: Who wrote it.
        time: When, in UTC.
        text: The comment.
    """

    author: Author
    time: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed change.

    Attributes:
        proposal_id: Its number.
        state: ``open``, ``approved``, ``applied``, ``rejected``, ``withdrawn`` or ``failed``.
        author: Its author.
        proposed_at: When it was proposed, in UTC.
        reason: The reason of the change.
        operations: The operations.
        base_revision: The revision that its author looked at, or None.
        apply_at: When it is applied after its approval, in UTC. None: at once.
        decided_by: Who approved, rejected or withdrew it.
        decided_at: When, in UTC.
        applied_revision: The revision that it made.
        failure: Why it failed.
        comments: The comments, the oldest first.
        conflicts: Why it cannot be applied now. Only of one proposal that is still to be applied.
        impact: What it would do now. Only of one proposal that is still to be applied.
    """

    proposal_id: int
    state: ProposalState
    author: Author
    proposed_at: datetime
    reason: str | None
    operations: tuple[AnyOperation, ...]
    base_revision: int | None
    apply_at: datetime | None
    decided_by: Author | None
    decided_at: datetime | None
    applied_revision: int | None
    failure: str | None
    comments: tuple[Comment, ...]
    conflicts: tuple[OperationConflict, ...] = ()
    impact: Impact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPage:
    """Proposals, the newest first.

    Attributes:
        proposals: The proposals.
        next: Where the next page begins, for the argument ``before``, or None if this is the last one.
    """

    proposals: tuple[Proposal, ...]
    next: int | None
