"""Undoing earlier changes by operations, so that the undoing can be looked at, edited and approved like any change."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from heksherlite import operations as ops
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.history import Change, Record
from heksherlite.service.domain.json_values import same_json
from heksherlite.service.domain.times import read_time


def operations_to_undo(record: Record, catalog: Catalog) -> tuple[list[ops.AnyOperation], list[str]]:
    """Return the operations that undo a change, and what they cannot undo.

    Whether the operations are possible is decided when they are made, with the revision of the change as their base.

    Args:
        record: The complete record of the change.
        catalog: The current catalog, which knows the settings by their present names.
    """
    operations: list[ops.AnyOperation] = []
    problems: list[str] = []
    gone = {change.setting_id for change in record.changes if change.rule_id is None and change.after is None}
    for change in reversed(record.changes):
        if change.subject == "proposal":
            continue
        if change.subject is not None:
            problems.append(f"{change.subject} {change.subject_name!r}: changes of access cannot be undone")
        elif change.setting_id is None:
            operations += _to_order(change.before, change.after)
        elif change.rule_id is None and change.after is None:
            problems.append(f"setting {change.setting_name!r} was deleted; programs declare it again when they start")
        elif change.setting_id not in gone:
            entry = catalog.entries.get(change.setting_id)
            name = change.setting_name or "" if entry is None else entry.setting.name
            operations += _of_setting(change, name, problems) if change.rule_id is None else _of_rule(change, name)
    return operations, problems


def _of_rule(change: Change, setting: str) -> Iterator[ops.AnyOperation]:
    before: Mapping[str, Any] | None = change.before
    if before is None:
        yield ops.DeleteRule(setting=setting, feature_values=change.after["feature_values"])
        return
    yield ops.PutRule(
        setting=setting,
        feature_values=before["feature_values"],
        value=before["value"],
        metadata=before["metadata"],
        starts_at=_time(before.get("starts_at")),
        ends_at=_time(before.get("ends_at")),
    )


_MARKS: Final[Mapping[str, Callable[[str, bool], ops.AnyOperation]]] = {
    "protected": lambda name, protected: ops.SetProtection(setting=name, protected=protected),
    "client_visible": lambda name, visible: ops.SetClientVisible(setting=name, client_visible=visible),
}


def _of_setting(change: Change, name: str, problems: list[str]) -> Iterator[ops.AnyOperation]:
    before, after = change.before, change.after
    if before is None:
        yield ops.DeleteSetting(setting=name)
        return

    def differs(field: str) -> bool:
        return not same_json(before.get(field), after.get(field)) or (field in before) != (field in after)

    if differs("operator_default_value") or differs("operator_default_metadata"):
        if "operator_default_value" in before:
            metadata = before.get("operator_default_metadata", {})
            yield ops.SetDefault(setting=name, value=before["operator_default_value"], metadata=metadata)
        else:
            yield ops.ClearDefault(setting=name)
    made: Mapping[str, Callable[[Any], ops.AnyOperation]] = {
        "metadata": lambda metadata: ops.SetSettingMetadata(setting=name, metadata=metadata),
        "type": lambda type_: ops.SetType(setting=name, type=type_),
        "configurable_features": lambda features: ops.SetConfigurableFeatures(
            setting=name, configurable_features=tuple(features)
        ),
    }
    for field, operation in made.items():
        if differs(field) and field in before:
            yield operation(before[field])
    marks = filter(differs, _MARKS)
    yield from (_MARKS[mark](name, before.get(mark, False)) for mark in marks)
    for field, what in (("default_value", "default of the program"), ("schema", "schema")):
        if differs(field):
            problems.append(f"setting {name!r}: its {what} is declared by programs and cannot be undone here")
    if differs("name"):
        yield ops.RenameSetting(setting=name, name=before["name"])


def _to_order(before: list[str], after: list[str]) -> Iterator[ops.AnyOperation]:
    """Yield the operations from one list of context features to another."""
    present = list(after)
    for feature in after:
        if feature not in before:
            yield ops.DeleteContextFeature(context_feature=feature)
            present.remove(feature)
    for feature in before:
        if feature not in present:
            yield ops.AddContextFeature(context_feature=feature)
            present.append(feature)
    for place, feature in enumerate(before):
        if present[place] != feature:
            yield ops.MoveContextFeature(context_feature=feature, to_before=present[place])
            present.remove(feature)
            present.insert(place, feature)


def _time(shown: str | None) -> datetime | None:
    return None if shown is None else read_time(shown)
