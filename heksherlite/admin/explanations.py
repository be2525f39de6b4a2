"""Why settings have their values, as the service answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from heksherlite.admin.results import DecidedBy, Region

Outcome: TypeAlias = Literal["wins", "outranked", "no_match", "possible", "not_served"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCondition:
    """The condition by which a rule does not match.

    Attributes:
        feature: The context feature.
        wanted: The value that the rule requires.
        given: The value that the context has.
    """

    feature: str
    wanted: str
    given: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRule:
    """A rule, and what it has to do with the value of its setting.

    Attributes:
        rule_id: Its id.
        feature_values: Its conditions.
        value: Its value, as JSON.
        outcome: ``wins``; ``outranked``: it matches, and a more specific rule wins; ``no_match``; ``possible``: it
            depends on the missing context features; or ``not_served``: its schedule excludes it.
        failed: The condition that does not match.
        starts_at: From when it is served, if that is why it is not.
        ends_at: Until when it is served, if that is why it is not.
        phase: ``pending`` or ``ended``, if it is not served.
    """

    rule_id: int
    feature_values: Mapping[str, str]
    value: Any
    outcome: Outcome
    failed: FailedCondition | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleValue:
    """A region of contexts, and the value of a setting in it.

    Attributes:
        region: The region.
        value: The value, as JSON.
        decided_by: What the value comes from.
    """

    region: Region
    value: Any
    decided_by: DecidedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSetting:
    """Why a setting has its value in a context, or which values it may have.

    Attributes:
        setting: The name of the setting.
        value: Its value, as JSON, or `NOT_GIVEN` if it depends on the missing context features.
        decided_by: What the value comes from, or None if it depends on them.
        missing: The configurable features of the setting that the context does not have.
        possible_values: If context features are missing, the values that the setting may have. The regions do not
            overlap, and the largest is the last one.
        possible_values_truncated: Whether there are more.
        rules: The rules of the setting, in the order in which they win.
        rule_count: The number of all its rules.
        rule_offset: The number of rules before the first one that is listed.
    """

    setting: str
    value: Any
    decided_by: DecidedBy | None
    missing: tuple[str, ...]
    possible_values: tuple[PossibleValue, ...]
    possible_values_truncated: bool
    rules: tuple[ExplainedRule, ...]
    rule_count: int
    rule_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations:
    """The explanations of settings.

    Attributes:
        revision: The revision that they are about.
        context_features: The context features, from the most general to the most specific.
        explanations: The explanations, by the name of the setting.
        and_at: The explanations at the second time, if there is one.
        differing: The names of the settings whose values differ between the two times.
    """

    revision: int
    context_features: tuple[str, ...]
    explanations: Mapping[str, ExplainedSetting]
    and_at: "Explanations | None" = None
    differing: tuple[str, ...] = ()
