"""Writes to rules, and the search for a rule by its conditions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.entities import Conditions, Entry, Rule
from heksherlite.service.domain.fit import feature_misfits, value_misfits
from heksherlite.service.domain.json_values import Json, Metadata, same_json
from heksherlite.service.domain.metadata import MetadataEdit
from heksherlite.service.domain.schedule import Phase, Schedule
from heksherlite.service.domain.times import show_time
from heksherlite.service.errors import BadRequestError, ConflictError, InvalidError, NotFoundError


def add(
    catalog: Catalog,
    setting_name: str,
    feature_values: Mapping[str, str],
    value: Json,
    metadata: Metadata,
    schedule: Schedule | None = None,
) -> Decision[int]:
    """Add a rule. The result is its id."""
    entry = require_known(catalog.find(setting_name), setting_name)
    rule_id = catalog.counters.last_rule_id + 1
    rule = new_rule(entry, conditions_of(feature_values), value, metadata, schedule, rule_id)
    return Decision(rule_id, Changes(rules=(rule,)))


def require_known(entry: Entry | None, setting_name: str) -> Entry:
    """Return the setting of a new rule, if there is one.

    Raises:
        InvalidError: There is no setting with this name.
    """
    if entry is None:
        raise InvalidError(f"setting {setting_name!r} does not exist", location=("body", "setting"))
    return entry


def new_rule(
    entry: Entry, conditions: Conditions, value: Json, metadata: Metadata, schedule: Schedule | None, rule_id: int
) -> Rule:
    """Return a rule with a new id for a setting.

    Raises:
        BadRequestError: It does not fit the setting, or its time is over.
        ConflictError: The setting has a rule with the same conditions.
    """
    setting = entry.setting
    for misfit in (*feature_misfits(setting, [feature for feature, _ in conditions]), *value_misfits(setting, value)):
        raise BadRequestError(misfit)
    existing = entry.ids_by_conditions.get(conditions)
    if existing is not None:
        raise ConflictError(f"rule {existing} of setting {setting.name!r} has the same conditions")
    _require_time_to_be_served(schedule)
    return Rule(rule_id, setting.id, conditions, value, metadata, schedule)


def change_value(catalog: Catalog, rule_id: int, value: Json) -> Decision[None]:
    """Replace the value of a rule."""
    rule = catalog.rule(rule_id)
    for misfit in value_misfits(catalog.entries[rule.setting_id].setting, value):
        raise BadRequestError(misfit)
    return _stored(rule, replace(rule, value=value))


def edit_metadata(catalog: Catalog, rule_id: int, edit: MetadataEdit) -> Decision[None]:
    """Edit the metadata of a rule."""
    rule = catalog.rule(rule_id)
    return _stored(rule, replace(rule, metadata=edit(rule.metadata)))


def reschedule(catalog: Catalog, rule_id: int, schedule: Schedule | None) -> Decision[None]:
    """Change the schedule of a rule; None means that it is always served."""
    _require_time_to_be_served(schedule)
    return _stored(catalog.rule(rule_id), replace(catalog.rule(rule_id), schedule=schedule))


def change(
    catalog: Catalog, rule_id: int, *, value: Json, metadata: Metadata, schedule: Schedule | None
) -> Decision[None]:
    """Replace all that may change in a rule; None stands for a rule that is always served."""
    rule = catalog.rule(rule_id)
    for misfit in value_misfits(catalog.entries[rule.setting_id].setting, value):
        raise BadRequestError(misfit)
    if schedule != rule.schedule:
        _require_time_to_be_served(schedule)
    return _stored(rule, replace(rule, value=value, metadata=metadata, schedule=schedule))


def next_switch(catalog: Catalog) -> datetime | None:
    """Return when the next scheduled rule starts or ends, or None if there is none."""
    schedules = [catalog.rules[rule_id].schedule for rule_id in catalog.scheduled]
    return min((schedule.next_switch for schedule in schedules if schedule and schedule.next_switch), default=None)


def switch(catalog: Catalog, now: datetime) -> Decision[None]:
    """Start and end the scheduled rules that are due. Rules that were switched already stay as they are."""
    switched = []
    for rule_id in sorted(catalog.scheduled):
        rule = catalog.rules[rule_id]
        schedule = rule.schedule and rule.schedule.at(now)
        if schedule != rule.schedule:
            switched.append(replace(rule, schedule=schedule))
    return Decision(None, Changes(rules=tuple(switched)))


def remove(catalog: Catalog, rule_id: int) -> Decision[None]:
    """Remove a rule. Its id is never used again."""
    return Decision(None, Changes(removed_rules=frozenset({catalog.rule(rule_id).id})))


def search(catalog: Catalog, setting_name: str, feature_values: Mapping[str, str]) -> int:
    """Return the id of the rule with exactly these conditions.

    Raises:
        NotFoundError: The setting does not exist, or has no such rule.
    """
    entry = catalog.find(setting_name)
    rule_id = None if entry is None else entry.ids_by_conditions.get(conditions_of(feature_values))
    if rule_id is None:
        raise NotFoundError(f"setting {setting_name!r} has no rule with exactly these conditions")
    return rule_id


def conditions_of(feature_values: Mapping[str, str]) -> Conditions:
    """Return conditions in their canonical form: equal conditions are equal tuples."""
    return tuple(sorted(feature_values.items()))


def _require_time_to_be_served(schedule: Schedule | None) -> None:
    if schedule is not None and schedule.phase is Phase.ENDED and schedule.ends_at is not None:
        raise BadRequestError(f"the rule would have ended already: {show_time(schedule.ends_at)} is in the past")


def _stored(before: Rule, after: Rule) -> Decision[None]:
    unchanged = (
        same_json(before.value, after.value)
        and same_json(before.metadata, after.metadata)
        and before.schedule == after.schedule
    )
    return Decision(None, Changes() if unchanged else Changes(rules=(after,)))
