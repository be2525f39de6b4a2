"""Plans: the operations that make the settings of a service those of some files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import orjson

from heksherlite.cli.output import as_text, conditions_text
from heksherlite.cli.sameness import digest_of, same_value
from heksherlite.cli.settings_parsing import FileFault, Place
from heksherlite.names import MANAGED_BY, nearest_name
from heksherlite.operations import NOT_GIVEN, AnyOperation, ClearDefault, DeleteRule, PutRule, SetDefault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from heksherlite.admin import AdminClient, ChangeResult
    from heksherlite.cli.settings_files import WantedRule, WantedSetting

APPLIED: Final = "applied"
"""The key of a rule's metadata with a digest of what was applied. It differs if somebody has changed the rule since."""

REASON: Final = "reason"

_FEW: Final = 50
"""The number of settings whose rules are requested one by one. For more, everything is requested at once."""

_TIMES: Final = ("starts_at", "ends_at")

Step: TypeAlias = Literal["add", "change", "delete", "drift", "extra"]


class StoredRule(NamedTuple):
    """A rule of a service.

    Attributes:
        rule_id: Its id.
        where: Its conditions.
        value: Its value, as JSON.
        metadata: Its metadata.
        starts_at: From when it is served, in UTC.
        ends_at: Until when it is served, in UTC.
    """

    rule_id: int
    where: Mapping[str, str]
    value: Any
    metadata: Mapping[str, Any]
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSetting:
    """A setting of a service.

    Attributes:
        operator_default: The operator's default, or `NOT_GIVEN`.
        default_metadata: The metadata of the operator's default.
        rules: Its rules.
    """

    operator_default: Any = NOT_GIVEN
    default_metadata: Mapping[str, Any] = field(default_factory=dict)
    rules: Sequence[StoredRule] = ()


@dataclass(slots=True, kw_only=True)  # not frozen, because frozen ones take three times as long to make
class PlanItem:
    """A line of a plan.

    Attributes:
        step: What happens: a rule or default is added, changed or deleted; ``drift`` is left alone because somebody
            else has changed it, and ``extra`` because the files do not have it.
        setting: The name of the setting.
        what: Which part of it, in words.
        before: The value before, or `NOT_GIVEN`.
        after: The value afterwards, or `NOT_GIVEN`.
        note: Why it is left alone, or what else changes.
    """

    step: Step
    setting: str
    what: str
    before: Any = NOT_GIVEN
    after: Any = NOT_GIVEN
    note: str = ""

    def __str__(self) -> str:
        values = [as_text(value) for value in (self.before, self.after) if value is not NOT_GIVEN]
        note = f" ({self.note})" if self.note else ""
        return f"{self.setting} {self.what}: {' -> '.join(dict.fromkeys(values))}{note}"


@dataclass(slots=True)
class Plan:
    """What has to happen so that a service has the settings of some files.

    Attributes:
        base_revision: The name of the revision that was compared with the files.
        items: What happens, and what is left alone.
        operations: The operations that make it happen.
        places: For each operation, the place in the files that it is from.
        result: What the operations did, or would do; None if there are none.
    """

    base_revision: str
    items: list[PlanItem] = field(default_factory=list)
    operations: list[AnyOperation] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    result: ChangeResult | None = None

    @property
    def differs(self) -> bool:
        """Whether the service and the files differ in anything."""
        return bool(self.items)

    def summary(self) -> str:
        """Return the counts in a sentence."""
        if not self.differs:
            return "Nothing differs."
        count = Counter([item.step for item in self.items])
        counts = f"{count['add']} to add, {count['change']} to change, {count['delete']} to delete"
        if count["drift"]:
            counts += f"; {count['drift']} changed by others, which --force overwrites"
        if count["extra"]:
            counts += f"; {count['extra']} not in the files, which --prune deletes"
        return f"{counts}."

    def add(self, item: PlanItem, operation: AnyOperation, place: Place) -> None:
        """Add an item that happens."""
        self.items.append(item)
        self.operations.append(operation)
        self.places.append(place)


def read_stored(admin: AdminClient, names: Sequence[str]) -> tuple[dict[str, StoredSetting], dict[str, str]]:
    """Return settings of a service by name, and the present names of all settings by their names and aliases.

    Args:
        admin: The client for the service.
        names: The names of the settings. Those that do not exist are left out.
    """
    details = admin.list_settings()
    present = {name: each.name for each in details for name in (each.name, *each.aliases)}
    wanted = set(names)
    found = {each.name: each for each in details if each.name in wanted}
    rules: dict[str, list[StoredRule]] = {name: [] for name in found}
    if len(found) <= _FEW:
        for name in found:
            rules[name] = [
                StoredRule(
                    rule_id=rule.rule_id,
                    where=rule.feature_values,
                    value=rule.value,
                    metadata=rule.metadata,
                    starts_at=rule.starts_at,
                    ends_at=rule.ends_at,
                )
                for rule in admin.rules(name)
            ]
    else:
        _read_export(admin.export(), rules)
    stored = {
        name: StoredSetting(
            operator_default=each.operator_default_value,
            default_metadata=each.operator_default_metadata,
            rules=rules[name],
        )
        for name, each in found.items()
    }
    return stored, present


def _read_export(export: bytes, rules: dict[str, list[StoredRule]]) -> None:
    current: list[StoredRule] | None = None
    for line in export.splitlines():
        record = orjson.loads(line)
        if "setting" in record:
            current = rules.get(record["setting"]["name"])
        elif "rule" in record and current is not None:
            rule = record["rule"]
            times = {name: datetime.fromisoformat(rule[name]) for name in _TIMES if rule.get(name) is not None}
            where, value, metadata = rule["feature_values"], rule["value"], rule["metadata"]
            current.append(StoredRule(rule_id=rule["rule_id"], where=where, value=value, metadata=metadata, **times))


def missing_faults(
    wanted: Iterable[WantedSetting], stored: Mapping[str, StoredSetting], present: Mapping[str, str]
) -> list[FileFault]:
    """Return a fault for each setting of the files that the service does not have."""
    faults = []
    for setting in wanted:
        if setting.name in stored:
            continue
        if setting.name in present:
            message = f"setting {setting.name} is now named {present[setting.name]}"
        else:
            nearest = nearest_name(setting.name, present)
            hint = f"; did you mean {nearest}?" if nearest else "; programs declare settings when they start"
            message = f"the service has no setting {setting.name}{hint}"
        faults.append(FileFault(setting.place, message))
    return faults


def make_plan(
    wanted: Iterable[WantedSetting],
    stored: Mapping[str, StoredSetting],
    *,
    base_revision: str,
    prune: bool = False,
    force: bool = False,
) -> Plan:
    """Compare files with a service.

    Args:
        wanted: The settings of the files.
        stored: The same settings of the service, by name.
        base_revision: The name of the revision of the service.
        prune: Whether to delete what the files do not have.
        force: Whether to overwrite what others have changed.
    """
    plan = Plan(base_revision)
    for setting in wanted:
        there = stored[setting.name]
        if setting.default is NOT_GIVEN:
            _plan_extra_default(plan, setting, there, prune=prune, force=force)
        else:
            _plan_default(plan, setting, there, force=force)
        if setting.rules is not None:
            _plan_rules(plan, setting, setting.rules, there, prune=prune, force=force)
    return plan


def _plan_default(plan: Plan, setting: WantedSetting, there: StoredSetting, *, force: bool) -> None:
    before, after = there.operator_default, setting.default
    metadata = dict(there.default_metadata)
    if setting.owner is not None:
        metadata |= {MANAGED_BY: setting.owner, APPLIED: digest_of(after, None, None)}
    is_same = before is not NOT_GIVEN and same_value(before, after)
    if is_same and there.default_metadata == metadata:
        return
    drift = ""
    if before is not NOT_GIVEN:
        digest = digest_of(before, None, None)
        changed = "changed this default"
        drift = _drift(setting, there.default_metadata, digest, "set this default", changed, is_same=is_same)
    step: Step = "add" if before is NOT_GIVEN else "drift" if drift and not force else "change"
    is_new_here = is_same and metadata.get(MANAGED_BY) != there.default_metadata.get(MANAGED_BY)
    note = drift or ("it becomes managed here" if is_new_here else "")
    item = PlanItem(step=step, setting=setting.name, what="default", before=before, after=after, note=note)
    if step == "drift":
        plan.items.append(item)
    else:
        put = SetDefault(setting=setting.name, value=after, metadata=metadata)
        plan.add(item, put, setting.default_place or setting.place)


def _plan_extra_default(plan: Plan, setting: WantedSetting, there: StoredSetting, *, prune: bool, force: bool) -> None:
    if there.operator_default is NOT_GIVEN:
        return
    step, note = _of_extra(setting, there.default_metadata, prune=prune, force=force)
    item = PlanItem(step=step, setting=setting.name, what="default", before=there.operator_default, note=note)
    if step == "delete":
        plan.add(item, ClearDefault(setting=setting.name), setting.place)
    else:
        plan.items.append(item)


def _of_extra(setting: WantedSetting, metadata: Mapping[str, Any], *, prune: bool, force: bool) -> tuple[Step, str]:
    """Return what happens to something that the files do not have, and who manages it if somebody else does."""
    owner = metadata.get(MANAGED_BY)
    is_foreign = owner is not None and owner != setting.owner
    step: Step = "extra" if not prune else "drift" if is_foreign and not force else "delete"
    return step, f"managed by {owner}" if is_foreign else ""


def _plan_rules(
    plan: Plan, setting: WantedSetting, rules: Sequence[WantedRule], there: StoredSetting, *, prune: bool, force: bool
) -> None:
    left = {frozenset(rule.where.items()): rule for rule in there.rules}
    for rule in rules:
        stored = left.pop(frozenset(rule.where.items()), None) if left else None
        _plan_rule(plan, setting, rule, stored, force=force)
    for extra in left.values():
        step, note = _of_extra(setting, extra.metadata, prune=prune, force=force)
        what = f"where {conditions_text(extra.where)}"
        item = PlanItem(step=step, setting=setting.name, what=what, before=extra.value, note=note)
        if step == "delete":
            plan.add(item, DeleteRule(rule_id=extra.rule_id), setting.place)
        else:
            plan.items.append(item)


def _plan_rule(plan: Plan, setting: WantedSetting, rule: WantedRule, there: StoredRule | None, *, force: bool) -> None:
    metadata = dict(there.metadata) if there is not None else {}
    metadata.pop(REASON, None)
    if setting.owner is not None:
        metadata[MANAGED_BY] = setting.owner
        metadata[APPLIED] = digest_of(rule.value, rule.starts_at, rule.ends_at)
    if rule.reason is not None:
        metadata[REASON] = rule.reason
    starts_at, ends_at = (None, None) if there is None else (there.starts_at, there.ends_at)
    has_same_times = (starts_at, ends_at) == (rule.starts_at, rule.ends_at)
    is_same = there is not None and has_same_times and same_value(there.value, rule.value)
    if there is not None and is_same and there.metadata == metadata:
        return
    put = PutRule(
        setting=setting.name,
        feature_values=rule.where,
        value=rule.value,
        metadata=metadata,
        starts_at=rule.starts_at if rule.starts_at != starts_at else NOT_GIVEN,
        ends_at=rule.ends_at if rule.ends_at != ends_at else NOT_GIVEN,
    )
    what = f"where {conditions_text(rule.where)}"
    if there is None:
        plan.add(PlanItem(step="add", setting=setting.name, what=what, after=rule.value), put, rule.place)
        return
    digest = digest_of(there.value, there.starts_at, there.ends_at)
    drift = _drift(setting, there.metadata, digest, "made this rule", "changed this rule", is_same=is_same)
    item = PlanItem(
        step="drift" if drift and not force else "change",
        setting=setting.name,
        what=what,
        before=there.value,
        after=rule.value,
        note=drift or _other_changes(there, rule, metadata),
    )
    if item.step == "drift":
        plan.items.append(item)
    else:
        plan.add(item, put, rule.place)


def _drift(
    setting: WantedSetting, metadata: Mapping[str, Any], applied: str, made: str, changed: str, *, is_same: bool
) -> str:
    """Return why something is not to be overwritten without force, or nothing.

    Args:
        setting: The setting of the files.
        metadata: The metadata of what is there.
        applied: The digest of what is there.
        made: What to say if nobody manages it.
        changed: What to say if it is not as it was applied.
        is_same: Whether it is what the files want.
    """
    owner = metadata.get(MANAGED_BY)
    if owner is not None and owner != setting.owner:
        return f"managed by {owner}"
    if is_same:
        return ""
    if owner is None:
        return f"somebody has {made}"
    return "" if metadata.get(APPLIED) == applied else f"somebody has {changed} since it was applied"


def _other_changes(there: StoredRule, rule: WantedRule, metadata: Mapping[str, Any]) -> str:
    changes = []
    if (there.starts_at, there.ends_at) != (rule.starts_at, rule.ends_at):
        changes.append("its times change")
    if there.metadata.get(REASON) != metadata.get(REASON):
        changes.append("its reason changes")
    if metadata.get(MANAGED_BY) != there.metadata.get(MANAGED_BY):
        changes.append("it becomes managed here")
    return ", ".join(changes)
