"""What the lines of an export must look like; see ``docs/operators/service.md``."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.schedule import Phase, Schedule
from heksherlite.service.fields import (
    ContextFeatureName,
    ContextFeatureValue,
    DistinctFeatures,
    Metadata,
    RequestBody,
    SettingName,
    SettingType,
    SettingVersion,
    Time,
    distinct,
)

_LARGEST_ID = 2**63 - 1


class _Record(RequestBody):
    # What is not known would get lost.
    model_config = ConfigDict(extra="forbid", defer_build=True)


class Header(_Record):
    """The first line."""

    format: Literal["heksherlite-export"]
    version: Literal[1]
    context_features: Annotated[list[ContextFeatureName], AfterValidator(distinct)]


class SettingRecord(_Record):
    """All about a setting but its rules."""

    name: SettingName
    type: SettingType
    default_value: Any
    configurable_features: DistinctFeatures
    version: SettingVersion
    metadata: Metadata
    aliases: list[SettingName]
    operator_default_value: Any = NO_VALUE
    operator_default_metadata: Metadata | None = None
    protected: bool = False
    client_visible: bool = False
    json_schema: dict[str, Any] | None = Field(None, alias="schema")


class RuleRecord(_Record):
    """All about a rule of the setting before it; the last three fields are those of a scheduled one."""

    rule_id: Annotated[int, Field(ge=1, le=_LARGEST_ID)]
    feature_values: Annotated[dict[ContextFeatureName, ContextFeatureValue], Field(min_length=1)]
    value: Any
    metadata: Metadata
    starts_at: Time | None = None
    ends_at: Time | None = None
    phase: Annotated[Phase, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _scheduled_or_not(self) -> Self:
        if (self.phase is None) != (self.starts_at is None and self.ends_at is None):
            raise ValueError("phase comes with starts_at or ends_at, and they with it")
        if self.starts_at is not None and self.ends_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("ends_at must be after starts_at")
        return self

    def schedule(self) -> Schedule | None:
        """Return when the rule is served; None is always."""
        return None if self.phase is None else Schedule(self.starts_at, self.ends_at, self.phase)


class End(_Record):
    """The last line: the numbers of settings and rules, and the highest id that a rule ever had."""

    settings: int
    rules: int
    last_rule_id: Annotated[int, Field(ge=0, le=_LARGEST_ID)]
