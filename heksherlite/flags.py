"""A setting as a feature flag. Programs and the service evaluate flags alike, for OpenFeature and for OFREP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

from heksherlite.contexts import text_of
from heksherlite.rule_sets import NO_VALUE, Context, RuleSet
from heksherlite.values.wire_types import (
    EnumType,
    FlagsType,
    JsonType,
    MappingType,
    PrimitiveType,
    SequenceType,
    WireType,
)

Reason = Literal["TARGETING_MATCH", "DEFAULT", "STATIC"]
ContextErrorCode = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT"]

TARGETING_KEY: Final = "targetingKey"
"""The name of the attribute that identifies the subject of an evaluation in OFREP."""


class Rule(Protocol):
    """What evaluation needs of a rule."""

    @property
    def id(self) -> int:
        """The id of the rule."""
        ...

    @property
    def value(self) -> Any:
        """Its value, as JSON."""
        ...


class ServedRule(NamedTuple):
    """A rule by its id and value."""

    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Flag:
    """A setting as a feature flag.

    Attributes:
        key: The canonical name of the setting.
        wire_type: The type of the values.
        version: The version of the declaration.
        rules: The rules in force, each as a :class:`Rule`.
        default: The value if no rule matches.
        default_variant: ``default``, or ``operator_default`` if an operator set the default.
    """

    key: str
    wire_type: WireType
    version: str
    rules: RuleSet[Any]
    default: Any
    default_variant: str


class Evaluation(NamedTuple):
    """The value of a flag in a context.

    Attributes:
        value: The value, as JSON.
        reason: ``TARGETING_MATCH`` for a rule, ``DEFAULT`` if no rule matches, ``STATIC`` if there are no rules.
        variant: ``rule:`` and the id of the rule, or the variant of the default.
        rule_id: The id of the rule, or ``None``.
    """

    value: Any
    reason: Reason
    variant: str
    rule_id: int | None


class FlagContextError(Exception):
    """An evaluation context is malformed, or does not suffice to evaluate a flag.

    Attributes:
        code: The error code of OpenFeature.
    """

    def __init__(self, code: ContextErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ContextErrorCode = code


def evaluate(flag: Flag, context: Context) -> Evaluation:
    """Evaluate a flag.

    Args:
        flag: The flag.
        context: The text for each of its context features, in the order of its rules. It does not matter if there are
            no rules.
    """
    if not flag.rules.shapes:
        return Evaluation(flag.default, "STATIC", flag.default_variant, None)
    rule: Rule = flag.rules.value(context)
    if rule is NO_VALUE:
        return Evaluation(flag.default, "DEFAULT", flag.default_variant, None)
    return Evaluation(rule.value, "TARGETING_MATCH", f"rule:{rule.id}", rule.id)


def given_context(
    flag: Flag, attributes: Mapping[str, Any], targeting_key: str | None, targeting_key_feature: str | None
) -> list[Any]:
    """Return the context that an evaluation context gives for a flag, with :data:`NO_VALUE` for what is missing.

    Booleans, which evaluation contexts often have, are ``true`` and ``false``, as in JSON.

    Args:
        flag: The flag.
        attributes: The attributes. Those that are no context features of the flag are ignored.
        targeting_key: The targeting key, if there is one.
        targeting_key_feature: The context feature that the targeting key is the value of, if it is one.

    Raises:
        FlagContextError: If a value has no obvious text.
    """
    context = []
    for feature in flag.rules.features:
        value = attributes.get(feature)
        if feature == targeting_key_feature and targeting_key is not None:
            value = targeting_key
        if type(value) is str:
            context.append(value)
        elif value is None:
            context.append(NO_VALUE)
        elif type(value) is bool:
            context.append("true" if value else "false")
        else:
            text = text_of(value)
            if text is None:
                raise FlagContextError(
                    "INVALID_CONTEXT",
                    f"the context feature {feature!r} of flag {flag.key!r} cannot be {value!r}: it must be a string, "
                    "a boolean, an integer or a UUID",
                )
            context.append(text)
    return context


def missing_context(flag: Flag, missing: Sequence[str], targeting_key_feature: str | None) -> FlagContextError:
    """Return the error for a context in which values of context features are missing."""
    if list(missing) == [targeting_key_feature]:
        return FlagContextError(
            "TARGETING_KEY_MISSING",
            f"flag {flag.key!r} needs the targeting key, which is its context feature {targeting_key_feature!r}",
        )
    names = ", ".join(map(repr, missing))
    text = f"flag {flag.key!r} needs {names}, which the evaluation context has no attribute for"
    return FlagContextError("INVALID_CONTEXT", text)


def plain_values(wire_type: WireType) -> Callable[[Any], Any] | None:
    """Return a function that converts JSON values of a type so that all floats are floats, or ``None`` if it is idle.

    JSON has one type of number, so a float may arrive as an integer.
    """
    match wire_type:
        case PrimitiveType("float"):
            return float
        case SequenceType(item):
            if (of_item := plain_values(item)) is not None:
                return lambda values: [of_item(value) for value in values]
        case MappingType(item):
            if (of_value := plain_values(item)) is not None:
                return lambda values: {key: of_value(value) for key, value in values.items()}
    return None


def as_boolean(flag: Flag, value: Any) -> bool | None:
    """Return a value as a boolean, or ``None`` if the flag is of another type."""
    return value if type(value) is bool and isinstance(flag.wire_type, PrimitiveType | EnumType) else None


def as_string(flag: Flag, value: Any) -> str | None:
    """Return a value as a string, or ``None`` if the flag is of another type."""
    return value if type(value) is str and isinstance(flag.wire_type, PrimitiveType | EnumType) else None


def as_integer(flag: Flag, value: Any) -> int | None:
    """Return a value as an integer, or ``None`` if the flag is of another type, or the number has a fraction."""
    if not isinstance(flag.wire_type, PrimitiveType | EnumType):
        return None
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def as_float(flag: Flag, value: Any) -> float | None:
    """Return a value as a float, or ``None`` if the flag is of another type."""
    if not isinstance(flag.wire_type, PrimitiveType | EnumType):
        return None
    return float(value) if type(value) is float or type(value) is int else None


def as_object(flag: Flag, value: Any) -> list[Any] | dict[str, Any] | None:
    """Return a copy of a list or an object, or ``None`` if the flag is of another type."""
    if not isinstance(value, list | dict):
        return None
    if not isinstance(flag.wire_type, FlagsType | SequenceType | MappingType | JsonType):
        return None
    copied: list[Any] | dict[str, Any] = _copy(value)
    return copied


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value
