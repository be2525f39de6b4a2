"""Operations as they come in requests, checked and described for OpenAPI."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, PrivateAttr, TypeAdapter, model_validator

from heksherlite.operations import OPERATIONS, AnyOperation
from heksherlite.service.domain.declarers import DeclarerKind
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import InvalidError
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
)
from heksherlite.values.wire_types import WireType

FeatureValues: TypeAlias = Annotated[dict[ContextFeatureName, ContextFeatureValue], Field(min_length=1)]
RuleId: TypeAlias = Annotated[int, Field(ge=1, le=2**63 - 1)]


_SHOWN_AS_TEXT: Final = (Version, WireType)


class OperationBody(RequestBody):
    """An operation. What it does not know is refused, because it would get lost."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    op: Any  # a literal in each operation
    _operation: AnyOperation = PrivateAttr()

    @property
    def operation(self) -> AnyOperation:
        """The operation, with the fields that were sent."""
        return self._operation

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        given = {name: _plain(getattr(self, name)) for name in self.model_fields_set - {"op"}}
        if "configurable_features" in given:
            given["configurable_features"] = tuple(given["configurable_features"])
        self._operation = OPERATIONS[self.op](**given)  # refuses fields that contradict each other
        return self


class _Scheduled(OperationBody):
    starts_at: Time | None = None
    ends_at: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at is not None and self.ends_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class _NewRule(_Scheduled):
    setting: SettingName
    feature_values: FeatureValues
    value: Any
    metadata: Metadata = Field(default_factory=dict)


class AddRule(_NewRule):
    """Add a rule. It is a conflict if the setting has a rule with the same conditions."""

    op: Literal["add_rule"]


class PutRule(_NewRule):
    """Add a rule, or change what differs in the rule that has the same conditions. What is left out stays."""

    op: Literal["put_rule"]


class _OfRule(OperationBody):
    rule_id: RuleId = Field(default=0, description="The rule; or else `setting` and `feature_values`.")
    setting: SettingName = ""
    feature_values: FeatureValues = Field(default_factory=dict)


class SetValue(_OfRule):
    """Change the value of a rule."""

    op: Literal["set_value"]
    value: Any


class SetSchedule(_OfRule, _Scheduled):
    """Change from when until when a rule is served; without both times, always."""

    op: Literal["set_schedule"]


class SetRuleMetadata(_OfRule):
    """Replace the metadata of a rule."""

    op: Literal["set_rule_metadata"]
    metadata: Metadata


class DeleteRule(_OfRule):
    """Delete a rule."""

    op: Literal["delete_rule"]


class _OfSetting(OperationBody):
    setting: SettingName


class SetDefault(_OfSetting):
    """Set the operator's default, which is in force in place of the declared one. Metadata that is left out stays."""

    op: Literal["set_default"]
    value: Any
    metadata: Metadata = Field(default_factory=dict)


class ClearDefault(_OfSetting):
    """Remove the operator's default. The declared one is in force again."""

    op: Literal["clear_default"]


class SetSettingMetadata(_OfSetting):
    """Replace the metadata of a setting. Its version stays as it is."""

    op: Literal["set_setting_metadata"]
    metadata: Metadata


class SetProtection(_OfSetting):
    """Protect a setting, so that only proposals change it and its rules, or end the protection."""

    op: Literal["set_protection"]
    protected: bool


class SetClientVisible(_OfSetting):
    """Show the values of a setting to tokens that have only the scope `evaluate`, or end that."""

    op: Literal["set_client_visible"]
    client_visible: bool


class _OfDeclarer(_OfSetting):
    kind: DeclarerKind
    id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class AddDeclarer(_OfDeclarer):
    """Permit an application or a token to upgrade a setting by declaring it."""

    op: Literal["add_declarer"]


class RemoveDeclarer(_OfDeclarer):
    """Withdraw the permission to upgrade a setting by declaring it."""

    op: Literal["remove_declarer"]


class RenameSetting(_OfSetting):
    """Rename a setting. Its earlier name becomes an alias. Without a version, it gets the next minor one."""

    op: Literal["rename_setting"]
    name: SettingName
    version: SettingVersion = Field(default=Version(1, 0))


class DeleteSetting(_OfSetting):
    """Delete a setting and its rules."""

    op: Literal["delete_setting"]


class SetType(_OfSetting):
    """Change the type of a setting. Without a version, it gets the next minor or major one, as the change needs."""

    op: Literal["set_type"]
    type: SettingType
    version: SettingVersion = Field(default=Version(1, 0))


class SetConfigurableFeatures(_OfSetting):
    """Replace the configurable features. Without a version, it gets the next minor or major one, as needed."""

    op: Literal["set_configurable_features"]
    configurable_features: DistinctFeatures
    version: SettingVersion = Field(default=Version(1, 0))


class _OfFeature(OperationBody):
    context_feature: ContextFeatureName


class AddContextFeature(_OfFeature):
    """Add a context feature at the end of the order, where it is the most specific."""

    op: Literal["add_context_feature"]


class MoveContextFeature(_OfFeature):
    """Move a context feature right after or right before another one."""

    op: Literal["move_context_feature"]
    to_after: ContextFeatureName = ""
    to_before: ContextFeatureName = ""


class DeleteContextFeature(_OfFeature):
    """Delete a context feature that no setting is configurable by."""

    op: Literal["delete_context_feature"]


AnyOperationBody: TypeAlias = Annotated[
    AddRule
    | PutRule
    | SetValue
    | SetSchedule
    | SetRuleMetadata
    | DeleteRule
    | SetDefault
    | ClearDefault
    | SetSettingMetadata
    | SetProtection
    | SetClientVisible
    | AddDeclarer
    | RemoveDeclarer
    | RenameSetting
    | DeleteSetting
    | SetType
    | SetConfigurableFeatures
    | AddContextFeature
    | MoveContextFeature
    | DeleteContextFeature,
    Field(discriminator="op"),
]

_OPERATION: Final = TypeAdapter[OperationBody](AnyOperationBody, config=ConfigDict(defer_build=True))


def checked_operation(given: Any) -> AnyOperation:
    """Return an operation from its JSON form.

    Raises:
        ValidationError: It is not an operation.
    """
    return _OPERATION.validate_python(given).operation


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, _SHOWN_AS_TEXT) else value


def operations_of(bodies: Sequence[OperationBody], *, most: int) -> list[AnyOperation]:
    """Return the operations of a request.

    Args:
        bodies: The operations as they came.
        most: How many there may be.

    Raises:
        InvalidError: There are more.
    """
    if len(bodies) > most:
        raise InvalidError(
            f"there are {len(bodies)} operations, and one change may have {most} (--max-operations)",
            location=("body", "operations"),
        )
    return [body.operation for body in bodies]
