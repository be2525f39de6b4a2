"""Strict conversion of parts of objects: what a setting of its own would drop is a fault with a path here."""

from collections.abc import Callable, Mapping
from typing import Any

from heksherlite.values.container_types import HeksherMapping, HeksherSequence
from heksherlite.values.conversions import SettingType
from heksherlite.values.enum_types import HeksherFlags
from heksherlite.values.faults import Fault, ValueFaultsError, faults_of
from heksherlite.values.read_only import ReadOnlyDict
from heksherlite.values.setting_types import PrimitiveSettingType
from heksherlite.values.value_types import AnnotatedType, OptionalType

Structure = Callable[..., Any]
"""Converts a JSON value, its first argument; cattrs passes the type as a second one.

Raises :class:`TypeError`; :class:`ValueFaultsError` for what has parts.
"""


def structure_of(type_: SettingType[Any]) -> Structure:
    """Return the strict conversion of a setting type."""
    match type_:
        case PrimitiveSettingType():
            return _primitive(type_)
        case HeksherSequence():
            return _sequence(structure_of(type_.inner))
        case HeksherMapping():
            return _mapping(structure_of(type_.inner))
        case OptionalType():
            inner = structure_of(type_.inner)
            return lambda value, _=None: None if value is None else inner(value)
        case AnnotatedType():
            return _annotated(structure_of(type_.inner), type_)
    return _flags(type_) if isinstance(type_, HeksherFlags) else _other(type_)


def _primitive(type_: PrimitiveSettingType[Any]) -> Structure:
    exact, convert = type_.type_, type_.convert_from_heksher

    def structure(value: Any, _: Any = None) -> Any:
        return value if type(value) is exact else convert(value).value

    return structure


def _sequence(inner: Structure) -> Structure:
    def structure(value: Any, _: Any = None) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"value {value!r} is not a list")
        try:
            return tuple([inner(item) for item in value])
        except (TypeError, ValueError):
            raise ValueFaultsError(_faults_in(inner, enumerate(value))) from None

    return structure


def _mapping(inner: Structure) -> Structure:
    def structure(value: Any, _: Any = None) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"value {value!r} is not a mapping")
        try:
            return ReadOnlyDict({key: inner(item) for key, item in value.items()})
        except (TypeError, ValueError):
            raise ValueFaultsError(_faults_in(inner, value.items())) from None

    return structure


def _annotated(inner: Structure, type_: AnnotatedType[Any]) -> Structure:
    constraints = type_.constraints
    problem_of, check_value = constraints.problem, constraints.check_value
    has_predicates = bool(constraints.predicates)

    def structure(value: Any, _: Any = None) -> Any:
        result = inner(value)
        if (problem := problem_of(value)) is not None:
            raise TypeError(f"value {value!r:.100} {problem}")
        if has_predicates:
            check_value(result)
        return result

    return structure


def _flags(type_: HeksherFlags[Any]) -> Structure:
    combine = _other(type_)

    def structure(value: Any, _: Any = None) -> Any:
        result = combine(value)
        if len(set(value)) < len(value):
            raise TypeError(f"value {value!r:.100} contains a flag twice")
        return result

    return structure


def _other(type_: SettingType[Any]) -> Structure:
    convert = type_.convert_from_heksher

    def structure(value: Any, _: Any = None) -> Any:
        result, coercions = convert(value)
        if coercions:
            raise TypeError("; ".join(coercions))
        return result

    return structure


def _faults_in(inner: Structure, items: Any) -> list[Fault]:
    faults: list[Fault] = []
    for step, item in items:
        try:
            inner(item)
        except (TypeError, ValueError) as error:
            faults += [fault.below(step) for fault in faults_of(error)]
    return faults
