"""Complete settings and rules as JSON, as the history stores them."""

from typing import Any

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.declarers import Declarer
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.proposals import Proposal
from heksherlite.service.domain.schedule import Phase, Schedule
from heksherlite.service.domain.times import read_time, show_time
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.service.domain.versions import Version
from heksherlite.values.type_strings import parse_type


def of_setting(setting: Setting) -> dict[str, Any]:
    """Return a setting as JSON, without its rules."""
    snapshot = {
        "name": setting.name,
        "type": str(setting.type),
        "default_value": setting.declared_default_value,
        "configurable_features": sorted(setting.configurable_features),
        "version": str(setting.version),
        "metadata": setting.metadata,
        "aliases": sorted(setting.aliases),
    }
    if setting.has_operator_default:
        snapshot["operator_default_value"] = setting.operator_default_value
    if setting.operator_default_metadata:
        snapshot["operator_default_metadata"] = setting.operator_default_metadata
    if setting.is_protected:
        snapshot["protected"] = True
    if setting.is_client_visible:
        snapshot["client_visible"] = True
    if setting.declarers:
        snapshot["declarers"] = [each.as_json() for each in sorted(setting.declarers)]
    if setting.schema is not None:
        snapshot["schema"] = setting.schema.document
    return snapshot


def setting_from(snapshot: Json, *, setting_id: int, revision: int) -> Setting:
    """Return the setting of a snapshot."""
    return Setting(
        id=setting_id,
        name=snapshot["name"],
        type=parse_type(snapshot["type"]),
        declared_default_value=snapshot["default_value"],
        configurable_features=frozenset(snapshot["configurable_features"]),
        version=Version.parse(snapshot["version"]),
        metadata=snapshot["metadata"],
        aliases=frozenset(snapshot["aliases"]),
        revision=revision,
        operator_default_value=snapshot.get("operator_default_value", NO_VALUE),
        operator_default_metadata=snapshot.get("operator_default_metadata", {}),
        is_protected=snapshot.get("protected", False),
        is_client_visible=snapshot.get("client_visible", False),
        declarers=frozenset(Declarer(**each) for each in snapshot.get("declarers", ())),
        schema=ValueSchema(snapshot["schema"]) if "schema" in snapshot else None,
    )


def of_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON, without its id and its setting."""
    snapshot = {"feature_values": dict(rule.conditions), "value": rule.value, "metadata": rule.metadata}
    return snapshot if rule.schedule is None else {**snapshot, **of_schedule(rule.schedule)}


def rule_from(snapshot: Json, *, rule_id: int, setting_id: int) -> Rule:
    """Return the rule of a snapshot. Without a phase, its schedule has not started."""
    return Rule(
        id=rule_id,
        setting_id=setting_id,
        conditions=tuple(sorted(snapshot["feature_values"].items())),
        value=snapshot["value"],
        metadata=snapshot["metadata"],
        schedule=_schedule_from(snapshot),
    )


def of_schedule(schedule: Schedule) -> dict[str, str | None]:
    """Return the times and the phase of a schedule as JSON."""
    return {
        "starts_at": None if schedule.starts_at is None else show_time(schedule.starts_at),
        "ends_at": None if schedule.ends_at is None else show_time(schedule.ends_at),
        "phase": schedule.phase.value,
    }


def _schedule_from(snapshot: Json) -> Schedule | None:
    starts_at, ends_at = snapshot.get("starts_at"), snapshot.get("ends_at")
    if starts_at is None and ends_at is None:
        return None
    return Schedule(
        starts_at=None if starts_at is None else read_time(starts_at),
        ends_at=None if ends_at is None else read_time(ends_at),
        phase=Phase(snapshot.get("phase", Phase.PENDING)),
    )


def of_proposal(proposal: Proposal) -> dict[str, Any]:
    """Return how far a proposal has come. What it proposes does not change."""
    return {
        "state": proposal.state.value,
        "author": proposal.author.name,
        "reason": proposal.reason,
        "comments": len(proposal.comments),
    }
