"""Operations as they come in requests, checked and described for OpenAPI.

They are checked as dictionaries and not as models, because a change may have very many, and making models takes most of
the time.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypeAlias, Union

from pydantic import AfterValidator, ConfigDict, Field, GetPydanticSchema, TypeAdapter, with_config
from typing_extensions import TypedDict

from heksherlite.operations import OPERATIONS, AnyOperation
from heksherlite.service.domain.declarers import DeclarerKind
from heksherlite.service.errors import InvalidError
from heksherlite.service.fields import (
    ContextFeatureName,
    ContextFeatureValue,
    DistinctFeatures,
    Metadata,
    SettingName,
    SettingType,
    SettingVersion,
    Time,
)

FeatureValues: TypeAlias = Annotated[dict[ContextFeatureName, ContextFeatureValue], Field(min_length=1)]
RuleId: TypeAlias = Annotated[int, Field(ge=1, le=2**63 - 1)]

_TypeText: TypeAlias = Annotated[SettingType, AfterValidator(str)]
_VersionText: TypeAlias = Annotated[SettingVersion, AfterValidator(str)]


@with_config(ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True))
class _Operation(TypedDict):
    """An operation. What it does not know is refused, because it would get lost."""

    op: Any  # a literal in each operation


class _Scheduled(_Operation):
    starts_at: NotRequired[Time | None]
    ends_at: NotRequired[Time | None]


class _NewRule(_Scheduled):
    setting: SettingName
    feature_values: FeatureValues
    value: Any
    metadata: NotRequired[Metadata]


class AddRule(_NewRule):
    """Add a rule. It is a conflict if the setting has a rule with the same conditions."""

    op: Literal["add_rule"]


class PutRule(_NewRule):
    """Add a rule, or change what differs in the rule that has the same conditions. What is left out stays."""

    op: Literal["put_rule"]


class _OfRule(_Operation):
    rule_id: NotRequired[Annotated[RuleId, Field(description="The rule; or else `setting` and `feature_values`.")]]
    setting: NotRequired[SettingName]
    feature_values: NotRequired[FeatureValues]


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


class _OfSetting(_Operation):
    setting: SettingName


class SetDefault(_OfSetting):
    """Set the operator's default, which is in force in place of the declared one. Metadata that is left out stays."""

    op: Literal["set_default"]
    value: Any
    metadata: NotRequired[Metadata]


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
    version: NotRequired[_VersionText]


class DeleteSetting(_OfSetting):
    """Delete a setting and its rules."""

    op: Literal["delete_setting"]


class SetType(_OfSetting):
    """Change the type of a setting. Without a version, it gets the next minor or major one, as the change needs."""

    op: Literal["set_type"]
    type: _TypeText
    version: NotRequired[_VersionText]


class SetConfigurableFeatures(_OfSetting):
    """Replace the configurable features. Without a version, it gets the next minor or major one, as needed."""

    op: Literal["set_configurable_features"]
    configurable_features: Annotated[DistinctFeatures, AfterValidator(tuple)]
    version: NotRequired[_VersionText]


class _OfFeature(_Operation):
    context_feature: ContextFeatureName


class AddContextFeature(_OfFeature):
    """Add a context feature at the end of the order, where it is the most specific."""

    op: Literal["add_context_feature"]


class MoveContextFeature(_OfFeature):
    """Move a context feature right after or right before another one."""

    op: Literal["move_context_feature"]
    to_after: NotRequired[ContextFeatureName]
    to_before: NotRequired[ContextFeatureName]


class DeleteContextFeature(_OfFeature):
    """Delete a context feature that no setting is configurable by."""

    op: Literal["delete_context_feature"]


_BODIES: Final = (
    AddRule,
    PutRule,
    SetValue,
    SetSchedule,
    SetRuleMetadata,
    DeleteRule,
    SetDefault,
    ClearDefault,
    SetSettingMetadata,
    SetProtection,
    SetClientVisible,
    AddDeclarer,
    RemoveDeclarer,
    RenameSetting,
    DeleteSetting,
    SetType,
    SetConfigurableFeatures,
    AddContextFeature,
    MoveContextFeature,
    DeleteContextFeature,
)


def _operation(given: dict[str, Any]) -> AnyOperation:
    """Return the operation with the fields that were sent."""
    operation = OPERATIONS[given.pop("op")](**given)  # refuses fields that contradict each other
    starts_at, ends_at = given.get("starts_at"), given.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise ValueError("ends_at must be after starts_at")
    return operation


_ANY_BODY: Final[Any] = Annotated[
    Union[tuple([Annotated[body, AfterValidator(_operation)] for body in _BODIES])],  # noqa: UP007
    Field(discriminator="op"),
]

AnyOperationBody: TypeAlias = Annotated[AnyOperation, GetPydanticSchema(lambda _, schema_of: schema_of(_ANY_BODY))]
"""Any operation, which is read from its JSON form."""

_OPERATION: Final = TypeAdapter[AnyOperation](AnyOperationBody, config=ConfigDict(defer_build=True))


def checked_operation(given: Any) -> AnyOperation:
    """Return an operation from its JSON form.

    Raises:
        ValidationError: It is not an operation.
    """
    return _OPERATION.validate_python(given)


def require_at_most(most: int, operations: Sequence[AnyOperation]) -> None:
    """Check how many operations a change has.

    Raises:
        InvalidError: There are more.
    """
    if len(operations) > most:
        raise InvalidError(
            f"there are {len(operations)} operations, and one change may have {most} (--max-operations)",
            location=("body", "operations"),
        )
