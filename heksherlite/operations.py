"""Operations: every change that people and tools make to settings, as values.

Each class is an operation of the service's ``POST /api/v1/changes``. ``as_json`` returns its JSON form. The service
decides a list of operations together: it makes all of them, in order and as one change, or none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

NOT_GIVEN: Final[Any] = type("NotGiven", (), {"__slots__": (), "__repr__": lambda _: "NOT_GIVEN"})()
"""Stands for a field of an operation that is left out. What the field describes stays unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The base of all operations.

    Attributes:
        op: The name of the operation in JSON.
    """

    op: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        """Return the operation as the service reads it, without the fields that are not given."""
        shown = {"op": self.op}
        for name in _field_names(self.op):
            value = getattr(self, name)
            if type(value) in _AS_THEY_ARE:
                shown[name] = value
            elif value is not NOT_GIVEN:
                shown[name] = _as_json(value)
        return shown


@cache
def _field_names(op: str) -> tuple[str, ...]:
    return tuple([each.name for each in fields(OPERATIONS[op])])


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRule(Operation):
    """Add a rule. It is a conflict if the setting has a rule with the same conditions.

    Attributes:
        setting: The name or an alias of the setting.
        feature_values: The conditions of the rule: for each context feature, the value that it must have.
        value: The value of the setting where the rule wins, as JSON.
        metadata: The metadata of the rule.
        starts_at: From when the rule is served. None: from now.
        ends_at: Until when the rule is served. None: without an end.
    """

    op: ClassVar[str] = "add_rule"
    setting: str
    feature_values: Mapping[str, str]
    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRule(Operation):
    """Add a rule, or change what differs in the rule that has the same conditions.

    Attributes:
        setting: The name or an alias of the setting.
        feature_values: The conditions of the rule.
        value: The value of the setting where the rule wins, as JSON.
        metadata: The metadata of the rule. Not given: unchanged, or empty for a new rule.
        starts_at: From when the rule is served. None: from now. Not given: as it is.
        ends_at: Until when the rule is served. None: without an end. Not given: as it is.
    """

    op: ClassVar[str] = "put_rule"
    setting: str
    feature_values: Mapping[str, str]
    value: Any
    metadata: Mapping[str, Any] = NOT_GIVEN
    starts_at: datetime | None = NOT_GIVEN
    ends_at: datetime | None = NOT_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRule(Operation):
    """An operation on a rule that exists. The rule is named by its id, or by its setting and all its conditions.

    Attributes:
        rule_id: The id of the rule.
        setting: The name or an alias of the setting.
        feature_values: The conditions of the rule.

    Raises:
        ValueError: Both ways to name the rule are used, or none.
    """

    rule_id: int = NOT_GIVEN
    setting: str = NOT_GIVEN
    feature_values: Mapping[str, str] = NOT_GIVEN

    def __post_init__(self) -> None:
        by_id = self.rule_id is not NOT_GIVEN
        by_conditions = [self.setting is not NOT_GIVEN, self.feature_values is not NOT_GIVEN]
        if by_conditions != [not by_id, not by_id]:
            raise ValueError("a rule is named either by rule_id, or by setting and feature_values")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValue(OfRule):
    """Change the value of a rule.

    Attributes:
        value: The new value, as JSON.
    """

    op: ClassVar[str] = "set_value"
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSchedule(OfRule):
    """Change from when until when a rule is served.

    Attributes:
        starts_at: From when. None: from now.
        ends_at: Until when. None: without an end.
    """

    op: ClassVar[str] = "set_schedule"
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRuleMetadata(OfRule):
    """Replace the metadata of a rule.

    Attributes:
        metadata: The metadata of the rule.
    """

    op: ClassVar[str] = "set_rule_metadata"
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRule(OfRule):
    """Delete a rule."""

    op: ClassVar[str] = "delete_rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSetting(Operation):
    """An operation on a setting that exists.

    Attributes:
        setting: The name or an alias of the setting.
    """

    setting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDefault(OfSetting):
    """Set the operator's default: the value wherever no rule matches, in place of the declared default.

    Attributes:
        value: The value, as JSON.
        metadata: The metadata of the default. Not given: unchanged, or empty for a new default.
    """

    op: ClassVar[str] = "set_default"
    value: Any
    metadata: Mapping[str, Any] = NOT_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearDefault(OfSetting):
    """Remove the operator's default. The declared default is in force again."""

    op: ClassVar[str] = "clear_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSettingMetadata(OfSetting):
    """Replace the metadata of a setting. The version of the setting stays as it is.

    Attributes:
        metadata: The metadata of the setting.
    """

    op: ClassVar[str] = "set_setting_metadata"
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProtection(OfSetting):
    """Protect a setting, so that only proposals change it and its rules, or end the protection.

    Attributes:
        protected: Whether the setting is protected.
    """

    op: ClassVar[str] = "set_protection"
    protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClientVisible(OfSetting):
    """Show the values of a setting to tokens that have only the scope ``evaluate``, or end that.

    Attributes:
        client_visible: Whether they see it.
    """

    op: ClassVar[str] = "set_client_visible"
    client_visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDeclarer(OfSetting):
    """Permit an application or a token to upgrade a setting by declaring it.

    Attributes:
        kind: ``application``, or ``token`` for a token that belongs to no application.
        id: The id of the application, or the public prefix of the token.
    """

    op: ClassVar[str] = "add_declarer"
    kind: Literal["application", "token"]
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDeclarer(OfSetting):
    """Withdraw the permission to upgrade a setting by declaring it.

    Attributes:
        kind: ``application``, or ``token`` for a token that belongs to no application.
        id: The id of the application, or the public prefix of the token.
    """

    op: ClassVar[str] = "remove_declarer"
    kind: Literal["application", "token"]
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameSetting(OfSetting):
    """Rename a setting. Its earlier name becomes an alias.

    Attributes:
        name: The new name.
        version: The version of the renamed setting, ``MAJOR.MINOR``. Not given: the next minor version.
    """

    op: ClassVar[str] = "rename_setting"
    name: str
    version: str = NOT_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSetting(OfSetting):
    """Delete a setting and its rules."""

    op: ClassVar[str] = "delete_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetType(OfSetting):
    """Change the type of a setting. The defaults and the values of all rules must fit the new type.

    Attributes:
        type: The new type, as on the wire, such as ``Sequence<int>``.
        version: The version of the changed setting. Not given: the next minor version if the new type is a sub-type of
            the present one, otherwise the next major version.
    """

    op: ClassVar[str] = "set_type"
    type: str
    version: str = NOT_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConfigurableFeatures(OfSetting):
    """Replace the configurable features of a setting. Rules must not have conditions on those that are removed.

    Attributes:
        configurable_features: The new features.
        version: The version of the changed setting. Not given: the next major version if features are added, otherwise
            the next minor version.
    """

    op: ClassVar[str] = "set_configurable_features"
    configurable_features: tuple[str, ...]
    version: str = NOT_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class AddContextFeature(Operation):
    """Add a context feature at the end of the order, where it is the most specific.

    Attributes:
        context_feature: The name of the new feature.
    """

    op: ClassVar[str] = "add_context_feature"
    context_feature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveContextFeature(Operation):
    """Move a context feature right after or right before another one. This changes which rules win.

    Attributes:
        context_feature: The feature to move.
        to_after: The feature that comes right before it afterwards.
        to_before: The feature that comes right after it afterwards.

    Raises:
        ValueError: Both of ``to_after`` and ``to_before`` are given, or none.
    """

    op: ClassVar[str] = "move_context_feature"
    context_feature: str
    to_after: str = NOT_GIVEN
    to_before: str = NOT_GIVEN

    def __post_init__(self) -> None:
        if (self.to_after is NOT_GIVEN) == (self.to_before is NOT_GIVEN):
            raise ValueError("either to_after or to_before is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteContextFeature(Operation):
    """Delete a context feature that no setting is configurable by.

    Attributes:
        context_feature: The feature to delete.
    """

    op: ClassVar[str] = "delete_context_feature"
    context_feature: str


RuleOperation: TypeAlias = AddRule | PutRule | SetValue | SetSchedule | SetRuleMetadata | DeleteRule
SettingOperation: TypeAlias = (
    SetDefault
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
)
FeatureOperation: TypeAlias = AddContextFeature | MoveContextFeature | DeleteContextFeature
AnyOperation: TypeAlias = RuleOperation | SettingOperation | FeatureOperation

OPERATIONS: Final[Mapping[str, type[AnyOperation]]] = {operation.op: operation for operation in get_args(AnyOperation)}
"""Every kind of operation by its name on the wire."""

_TIMES: Final = frozenset({"starts_at", "ends_at"})
_CONVERTED: Final = _TIMES | {"configurable_features"}

OperationScope: TypeAlias = Literal["write", "admin"]

_WRITTEN: Final = (*get_args(RuleOperation), SetDefault, ClearDefault, SetSettingMetadata)


def scope_of(operation: AnyOperation) -> OperationScope:
    """Return the scope that a token needs for an operation."""
    return "write" if isinstance(operation, _WRITTEN) else "admin"


def operation_from(shown: Mapping[str, Any]) -> AnyOperation:
    """Return the operation that ``as_json`` made this of.

    Raises:
        KeyError: There is no such operation.
        TypeError: A field is missing, or there is one too many.
        ValueError: Fields contradict each other, or a time is not one.
    """
    given = {name: value for name, value in shown.items() if name != "op"}
    for name in _CONVERTED & given.keys():
        given[name] = _from_json(name, given[name])
    return OPERATIONS[shown["op"]](**given)


def _from_json(name: str, value: Any) -> Any:
    if name in _TIMES:
        if value is None:
            return None
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return tuple(value) if name == "configurable_features" else value


_AS_THEY_ARE: Final = frozenset({str, int, float, bool, list, dict, type(None)})
"""The types of values that are JSON already. There may be very many operations, so they are looked at first."""


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value
