"""Changes and operations in words: what they are about, and which fields they change from what to what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from heksherlite import operations as ops
from heksherlite.service.console.showing import Words, moment
from heksherlite.service.domain import snapshots
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Rule
from heksherlite.service.domain.history import Change, Record
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.rules import conditions_of
from heksherlite.service.domain.times import read_time
from heksherlite.service.errors import RequestError

_NOTHING: Final[Any] = object()

_FIELDS: Final = {
    "value": "value",
    "default_value": "default of the program",
    "operator_default_value": "operator's default",
    "operator_default_metadata": "metadata of the operator's default",
    "configurable_features": "configurable features",
    "starts_at": "starts",
    "ends_at": "ends",
    "phase": "phase",
    "declarers": "declared by",
    "protected": "protected",
    "client_visible": "visible to clients",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field, with its values before and after as far as there are any."""

    label: str
    has_before: bool
    before: Any
    has_after: bool
    after: Any


@dataclass(frozen=True, slots=True)
class Description:
    """What changes.

    Attributes:
        title: What is done, such as ``Rule added``.
        setting: The name of the setting, if it is about one.
        where: The conditions of the rule, if it is about one.
        fields: The fields that change.
    """

    title: str
    setting: str | None
    where: Mapping[str, str] | None
    fields: Sequence[FieldChange]


@dataclass(frozen=True, slots=True)
class DescribedRecord:
    """A record of the history with its changes in words."""

    record: Record
    changes: Sequence[Description]

    @property
    def concerns_settings(self) -> bool:
        """Whether it changed settings, rules or context features, which a draft can undo."""
        return any(change.subject is None for change in self.record.changes)


def describe_record(record: Record, *, complete: bool) -> DescribedRecord:
    """Return a record with its changes in words.

    Args:
        record: The record.
        complete: As for `describe_change`.
    """
    return DescribedRecord(record, [describe_change(change, complete=complete) for change in record.changes])


def describe_change(change: Change, *, complete: bool) -> Description:
    """Return a change in words.

    Args:
        change: The change.
        complete: Whether to show the contents of what is neither a setting nor a rule: they tell of people and secrets.
    """
    verb = "added" if change.before is None else "removed" if change.after is None else "changed"
    if change.subject is not None:
        title = f"{change.subject} {change.subject_name} {verb}"
        return Description(title, None, None, list(_fields(change.before, change.after)) if complete else [])
    if change.setting_id is None:
        order = FieldChange("order", True, change.before, True, change.after)
        return Description("context features changed", None, None, [order])
    if change.rule_id is None:
        return Description(f"setting {verb}", change.setting_name, None, list(_fields(change.before, change.after)))
    shown: Any = change.after if change.before is None else change.before
    return Description(
        f"rule {verb}", change.setting_name, shown["feature_values"], list(_fields(change.before, change.after))
    )


def _fields(before: Any, after: Any) -> Iterator[FieldChange]:
    before, after = before or {}, after or {}
    if not isinstance(before, dict) or not isinstance(after, dict):
        yield FieldChange("value", True, before, True, after)
        return
    is_whole = not before or not after
    before, after = _in_words(before, is_whole=is_whole), _in_words(after, is_whole=is_whole)
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name, _NOTHING), after.get(name, _NOTHING)
        if name == "feature_values" or (one is not _NOTHING and other is not _NOTHING and same_json(one, other)):
            continue
        if is_whole and (other if one is _NOTHING else one) in (None, {}, []):
            continue
        if name == "phase" and (one is _NOTHING or other is _NOTHING):
            continue  # it follows from the times
        yield FieldChange(
            _FIELDS.get(name) or name,
            one is not _NOTHING,
            None if one is _NOTHING else one,
            other is not _NOTHING,
            None if other is _NOTHING else other,
        )


def _in_words(snapshot: Mapping[str, Any], *, is_whole: bool) -> Mapping[str, Any]:
    """Return a snapshot with words for declarers and for the times of a rule; without a time, only if it changes."""
    words = {}
    for name, otherwise in (("starts_at", "at once"), ("ends_at", "never")):
        time = snapshot.get(name)
        if isinstance(time, str):
            words[name] = Words(moment(read_time(time)))
        elif "feature_values" in snapshot and not is_whole:
            words[name] = Words(otherwise)
    if isinstance(declarers := snapshot.get("declarers"), list):
        words["declarers"] = Words(", ".join(f"{each['kind']} {each['id']}" for each in declarers))
    return {**snapshot, **words}


def describe_operation(operation: ops.AnyOperation, catalog: Catalog) -> Description:
    """Return an operation in words, with what it changes as things are in a catalog."""
    shown = operation.as_json()
    if isinstance(operation, ops.AddRule | ops.PutRule | ops.OfRule):
        return _describe_rule(operation, shown, catalog)
    setting = shown.get("setting")
    if isinstance(operation, ops.SetDefault | ops.ClearDefault):
        return _describe_default(operation, catalog)
    fields = [
        FieldChange(_FIELDS.get(name, name.replace("_", " ")), False, None, True, value)
        for name, value in shown.items()
        if name not in {"op", "setting"}
    ]
    return Description(operation.op.replace("_", " "), setting, None, fields)


def _describe_default(operation: ops.SetDefault | ops.ClearDefault, catalog: Catalog) -> Description:
    entry = _entry(catalog, operation.setting)
    known = entry is not None
    before = entry.setting.default_value if entry is not None else None
    if isinstance(operation, ops.SetDefault):
        field = FieldChange("default", known, before, True, operation.value)
        fields = [field]
        if operation.metadata is not ops.NOT_GIVEN and entry is not None:
            metadata = entry.setting.operator_default_metadata
            if not same_json(metadata, operation.metadata):
                fields.append(FieldChange("metadata of the default", True, metadata, True, operation.metadata))
        return Description("set the operator's default", operation.setting, None, fields)
    declared = entry.setting.declared_default_value if entry is not None else None
    field = FieldChange("default", known, before, known, declared)
    return Description("remove the operator's default", operation.setting, None, [field])


def _describe_rule(
    operation: ops.AddRule | ops.PutRule | ops.OfRule, shown: Mapping[str, Any], catalog: Catalog
) -> Description:
    rule = _rule(shown, catalog)
    setting, where = shown.get("setting"), shown.get("feature_values")
    if rule is not None:
        setting = catalog.entries[rule.setting_id].setting.name
        where = dict(rule.conditions)
    before = None if rule is None else snapshots.of_rule(rule)
    if isinstance(operation, ops.DeleteRule):
        return Description("delete the rule", setting, where, list(_fields(before, None)))
    given = {name: value for name, value in shown.items() if name in {"value", "metadata", "starts_at", "ends_at"}}
    after = {**(before or {}), **given}
    if before is not None:
        after.pop("phase", None)
        before.pop("phase", None)
    title = "add a rule" if rule is None else "change the rule"
    return Description(title, setting, where, list(_fields(before, after)))


def _rule(shown: Mapping[str, Any], catalog: Catalog) -> Rule | None:
    if "rule_id" in shown:
        return catalog.rules.get(shown["rule_id"])
    entry = _entry(catalog, shown["setting"])
    if entry is None:
        return None
    rule_id = entry.ids_by_conditions.get(conditions_of(shown["feature_values"]))
    return None if rule_id is None else entry.rules[rule_id]


def _entry(catalog: Catalog, name: str) -> Any:
    try:
        return catalog.find(name)
    except RequestError:
        return None
