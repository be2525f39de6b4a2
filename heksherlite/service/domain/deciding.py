"""Lists of operations, decided together against one catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from heksherlite import operations as ops
from heksherlite.service.domain import context_features, rules, settings
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.declarers import Declarer
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.metadata import replacing
from heksherlite.service.domain.schedule import schedule_of
from heksherlite.service.domain.touched import Touched, touched_by
from heksherlite.service.domain.versions import Version
from heksherlite.service.domain.working_copy import WorkingCopy
from heksherlite.service.errors import ConflictsError, NotFoundError, OutsidePrefixError, RequestError
from heksherlite.values.type_strings import parse_type
from heksherlite.values.wire_types import is_subtype

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why an operation cannot be made.

    Attributes:
        operation: The index of the operation in the list.
        reason: The reason, as a sentence.
        setting: The name of the setting of the operation, if it has one.
        rule_id: The id of the rule of the operation, if it is known.
    """

    operation: int
    reason: str
    setting: str | None = None
    rule_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the conflict as the API shows it."""
        return {
            "operation": self.operation,
            "reason": self.reason,
            "setting": self.setting,
            "rule_id": self.rule_id,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a list of operations.

    Attributes:
        changes: The changes of the operations without conflicts.
        results: The result of each operation.
        conflicts: The conflicts. The operations can only be made if this is empty.
        touched: What each operation changes in the original catalog.
        after: The catalog after the changes, for reading only.
    """

    changes: Changes
    results: tuple[dict[str, Any], ...]
    conflicts: tuple[Conflict, ...]
    touched: tuple[Touched, ...]
    after: Catalog


def decide(catalog: Catalog, operations: Sequence[ops.AnyOperation], now: datetime) -> Outcome:
    """Decide a list of operations, each one after the operations before it.

    Args:
        catalog: The current catalog.
        operations: The operations, in order.
        now: The time, in UTC, which determines whether a scheduled rule is served.

    Raises:
        OutsidePrefixError: The catalog is limited to some settings, and an operation names another one.
    """
    copy = WorkingCopy(catalog)
    results: list[dict[str, Any]] = []
    conflicts: list[Conflict] = []
    touched: list[Touched] = []
    for index, operation in enumerate(operations):
        try:
            decision = _decide_one(operation, copy, now)
        except OutsidePrefixError:
            raise
        except RequestError as error:
            setting, rule_id = _subject_of(operation, copy.present)
            conflicts += [Conflict(index, reason, setting, rule_id) for reason in _reasons(error)]
            results.append({})
            touched.append(())
            continue
        copy.present.require_within_limit(decision.changes)
        touched.append(touched_by(decision.changes, copy.present))
        copy.apply(decision.changes)
        results.append(decision.result)
    return Outcome(copy.changes(), tuple(results), tuple(conflicts), tuple(touched), copy.catalog)


def _decide_one(operation: ops.AnyOperation, copy: WorkingCopy, now: datetime) -> Decision[dict[str, Any]]:
    """Decide one operation.

    Args:
        operation: The operation.
        copy: What there is.
        now: The time, in UTC.

    Raises:
        RequestError: The operation cannot be made.
    """
    match operation:
        case ops.AddRule() | ops.PutRule():
            return _put_rule(operation, copy, now)
        case ops.OfRule():
            rule_id = _rule_id(operation, copy)
            return Decision({"rule_id": rule_id}, _change_rule(operation, rule_id, copy.present, now).changes)
        case ops.OfSetting():
            return Decision({}, _change_setting(operation, copy.catalog).changes)
        case _:
            return Decision({}, _change_features(operation, copy.catalog).changes)


def _put_rule(operation: ops.AddRule | ops.PutRule, copy: WorkingCopy, now: datetime) -> Decision[dict[str, Any]]:
    conditions = rules.conditions_of(operation.feature_values)
    entry = rules.require_known(copy.entry_with(operation.setting, conditions), operation.setting)
    existing = entry.ids_by_conditions.get(conditions) if isinstance(operation, ops.PutRule) else None
    if existing is None:
        schedule = schedule_of(_given(operation.starts_at, None), _given(operation.ends_at, None), now)
        metadata = _given(operation.metadata, {})
        new = rules.new_rule(entry, conditions, operation.value, metadata, schedule, copy.next_rule_id)
        return Decision({"rule_id": new.id}, Changes(rules=(new,)))
    rule = entry.rules[existing]
    schedule = rule.schedule
    if not (operation.starts_at is ops.NOT_GIVEN and operation.ends_at is ops.NOT_GIVEN):
        starts_at = _given(operation.starts_at, None if schedule is None else schedule.starts_at)
        ends_at = _given(operation.ends_at, None if schedule is None else schedule.ends_at)
        schedule = schedule_of(starts_at, ends_at, now)
    metadata = _given(operation.metadata, rule.metadata)
    changed = rules.change(copy.present, rule.id, value=operation.value, metadata=metadata, schedule=schedule)
    return Decision({"rule_id": rule.id}, changed.changes)


def _change_rule(
    operation: ops.SetValue | ops.SetSchedule | ops.SetRuleMetadata | ops.DeleteRule,
    rule_id: int,
    catalog: Catalog,
    now: datetime,
) -> Decision[None]:
    match operation:
        case ops.SetValue():
            return rules.change_value(catalog, rule_id, operation.value)
        case ops.SetSchedule():
            return rules.reschedule(catalog, rule_id, schedule_of(operation.starts_at, operation.ends_at, now))
        case ops.SetRuleMetadata():
            return rules.edit_metadata(catalog, rule_id, replacing(operation.metadata))
        case ops.DeleteRule():
            return rules.remove(catalog, rule_id)


def _mark_setting(operation: ops.SetProtection | ops.SetClientVisible, catalog: Catalog) -> Decision[None]:
    if isinstance(operation, ops.SetProtection):
        return settings.set_protection(catalog, operation.setting, protected=operation.protected)
    return settings.set_client_visible(catalog, operation.setting, client_visible=operation.client_visible)


def _change_setting(operation: ops.SettingOperation, catalog: Catalog) -> Decision[None]:
    name = operation.setting
    setting = catalog.entry(name).setting
    match operation:
        case ops.SetDefault():
            metadata = None if operation.metadata is ops.NOT_GIVEN else dict(operation.metadata)
            decision = settings.set_default(catalog, name, operation.value, metadata)
        case ops.ClearDefault():
            decision = settings.clear_default(catalog, name)
        case ops.SetSettingMetadata():
            decision = settings.set_metadata(catalog, name, operation.metadata)
        case ops.SetProtection() | ops.SetClientVisible():
            decision = _mark_setting(operation, catalog)
        case ops.AddDeclarer() | ops.RemoveDeclarer():
            change = settings.add_declarer if isinstance(operation, ops.AddDeclarer) else settings.remove_declarer
            decision = change(catalog, name, Declarer(operation.kind, operation.id))
        case ops.DeleteSetting():
            decision = settings.remove(catalog, name)
        case ops.RenameSetting():
            version = _version(operation, setting, changes=operation.name != setting.name, narrows=True)
            decision = settings.rename(catalog, name, operation.name, version)
        case ops.SetType():
            type_ = parse_type(operation.type)
            narrows = is_subtype(type_, setting.type)
            version = _version(operation, setting, changes=type_ != setting.type, narrows=narrows)
            decision = settings.change_type(catalog, name, type_, version)
        case ops.SetConfigurableFeatures():
            features = frozenset(operation.configurable_features)
            changes = features != setting.configurable_features
            version = _version(operation, setting, changes=changes, narrows=features <= setting.configurable_features)
            decision = settings.change_configurable_features(catalog, name, features, version)
    return decision


def _change_features(operation: ops.FeatureOperation, catalog: Catalog) -> Decision[None]:
    name = operation.context_feature
    match operation:
        case ops.AddContextFeature():
            return context_features.add(catalog, name)
        case ops.DeleteContextFeature():
            return context_features.remove(catalog, name)
        case ops.MoveContextFeature():
            after, before = _given(operation.to_after, None), _given(operation.to_before, None)
            return context_features.move(catalog, name, after=after, before=before)


def _version(
    operation: ops.RenameSetting | ops.SetType | ops.SetConfigurableFeatures,
    setting: Setting,
    *,
    changes: bool,
    narrows: bool,
) -> Version:
    """Return the version that a changed setting gets: the one that is given, or the next one that the change needs."""
    if operation.version is not ops.NOT_GIVEN:
        return Version.parse(operation.version)
    if not changes:
        return setting.version
    return setting.version.next_minor if narrows else setting.version.next_major


def _given(value: T, otherwise: T) -> T:
    return otherwise if value is ops.NOT_GIVEN else value


def _rule_id(operation: ops.OfRule, copy: WorkingCopy) -> int:
    """Return the id of the rule that an operation names.

    Raises:
        NotFoundError: There is no such rule.
    """
    if operation.rule_id is not ops.NOT_GIVEN:
        return copy.catalog_with(operation.rule_id).rule(operation.rule_id).id
    conditions = rules.conditions_of(operation.feature_values)
    entry = copy.entry_with(operation.setting, conditions) or copy.present.entry(operation.setting)
    rule_id = entry.ids_by_conditions.get(conditions)
    if rule_id is None:
        shown = ", ".join(f"{feature}={value}" for feature, value in operation.feature_values.items())
        raise NotFoundError(f"setting {entry.setting.name!r} has no rule with the conditions {shown}")
    return rule_id


def _subject_of(operation: ops.AnyOperation, catalog: Catalog) -> tuple[str | None, int | None]:
    """Return the setting and the rule that an operation names, so far as they exist."""
    rule_id = _given(getattr(operation, "rule_id", None), None)
    name = _given(getattr(operation, "setting", None), None)
    if rule_id is not None and rule_id in catalog.rules:
        name = catalog.entries[catalog.rules[rule_id].setting_id].setting.name
    return name, rule_id


def _reasons(error: RequestError) -> list[str]:
    return error.conflicts if isinstance(error, ConflictsError) else [error.message]
