"""The setting type of each Python type."""

import collections.abc
import reprlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum, Flag
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, is_typeddict

from heksherlite.values.conversions import Conversion, SettingType

T = TypeVar("T")


class PrimitiveSettingType(SettingType[T]):
    """``int``, ``float``, ``str`` or ``bool``.

    Args:
        type_: The Python type.
    """

    __slots__ = ("type_",)

    def __init__(self, type_: type[T]) -> None:
        self.type_: Final = type_

    def heksher_string(self) -> str:
        """Return the wire type."""
        return self.type_.__name__

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the value. A whole-number float becomes an ``int``, and an ``int`` a float, if that is the type."""
        if type(x) is self.type_:
            return Conversion(x)
        if (self.type_ is int and type(x) is float and x.is_integer()) or (self.type_ is float and type(x) is int):
            return Conversion(self._converted(x))
        raise TypeError(f"value {reprlib.repr(x)} is not of type {self.heksher_string()}")

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Return the values unchanged, or ``None`` if one of them is of another type."""
        type_: Any = self.type_
        return xs if _check_of(type_)(xs) else None

    def convert_to_heksher(self, x: T) -> Any:
        """Return the value as a plain value of the type: an :class:`enum.IntEnum` member becomes an ``int``.

        Raises:
            TypeError: If it is of another type.
        """
        if type(x) is self.type_:
            return x
        if type(x) is bool or not isinstance(x, _ACCEPTED[self.type_]):
            raise TypeError(f"{reprlib.repr(x)} is not of type {self.heksher_string()}")
        return str.__str__(x) if isinstance(x, str) else self._converted(x)

    def _converted(self, x: Any) -> T:
        try:
            return self.type_(x)  # type: ignore[call-arg]
        except OverflowError as error:
            raise TypeError(f"value {reprlib.repr(x)} is not of type {self.heksher_string()}: {error}") from error


_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {int: (int,), float: (float, int), str: (str,), bool: (bool,)}
"""The Python types of the values of each primitive type."""


@cache
def _check_of(type_: Any) -> Callable[[Sequence[Any]], bool]:
    """Return the check of many values of a primitive type."""
    from heksherlite.values.columns import CHECKS  # noqa: PLC0415 - programs without a client do not need it

    return CHECKS[type_]


_SEQUENCES: Final = (collections.abc.Sequence, list)
_MAPPINGS: Final = (collections.abc.Mapping, dict)

_FIELDS: Final = ("__dataclass_fields__", "__attrs_attrs__", "_fields")
"""What classes have that cattrs converts: dataclasses, attrs classes and named tuples."""

_SETTING_TYPES: Final[Mapping[Any, SettingType[Any]]] = {type_: PrimitiveSettingType(type_) for type_ in _ACCEPTED}
"""The Python types that have one setting type each. Classes of enums and generic types have many."""


def setting_type(type_: Any) -> SettingType[Any]:
    """Return the setting type of a Python type.

    Args:
        type_: ``int``, ``float``, ``str``, ``bool``, an :class:`enum.Enum`, :class:`enum.Flag` or
            :class:`enum.IntFlag` class, ``Sequence[T]`` or ``Mapping[str, T]`` (from :mod:`collections.abc` or
            :mod:`typing`; ``list[T]``, ``tuple[T, ...]`` and ``dict[str, T]`` mean the same), one of the types in
            ``docs/guides/values.md``, such as :class:`~datetime.timedelta`, ``T | None``, ``Annotated[T, ...]``
            or a dataclass, or a :class:`~heksherlite.SettingType`, which is returned unchanged.

    Raises:
        TypeError: If the keys of a mapping are not ``str``, the members of an enum have values other than strings,
            numbers and booleans, or a field of a class or a constraint is not possible. The message names it.
        RuntimeError: If ``type_`` is anything else.
        ImportError: If the library is missing that converts the type.
    """
    if isinstance(type_, SettingType):
        return type_
    if isinstance(type_, type) and type_ in _SETTING_TYPES:
        return _SETTING_TYPES[type_]
    for find in (_enum_type, _container_type, _special_type, _type_of_class):
        if (found := find(type_)) is not None:
            return found
    raise RuntimeError(
        f"{type_!r} cannot be the type of a setting: use int, float, str, bool, an Enum or Flag class, Sequence[T], "
        "Mapping[str, T], T | None, a Literal, a time or date, Decimal, UUID, a dataclass or another class with "
        "fields, Any, or a SettingType of your own"
    )


def _enum_type(type_: Any) -> SettingType[Any] | None:
    if isinstance(type_, type) and issubclass(type_, Enum):
        from heksherlite.values.enum_types import HeksherEnum, HeksherFlags  # noqa: PLC0415 - not every program needs it

        return HeksherFlags(type_) if issubclass(type_, Flag) else HeksherEnum(type_)
    return None


def _container_type(type_: Any) -> SettingType[Any] | None:
    origin, arguments = get_origin(type_), get_args(type_)
    if (origin in _SEQUENCES and len(arguments) == 1) or (origin is tuple and arguments[1:] == (...,)):
        return _created("container_types", "HeksherSequence", arguments[0])
    if origin in _MAPPINGS and arguments:
        key, value = arguments
        if key is not str:
            raise TypeError(f"the keys of a mapping setting must be str, not {key!r}")
        return _created("container_types", "HeksherMapping", value)
    return None


def _special_type(type_: Any) -> SettingType[Any] | None:
    """Return the setting type of what is no class with fields, or ``None``."""
    from heksherlite.values import value_types  # noqa: PLC0415 - most programs do not need it

    origin, arguments = get_origin(type_), get_args(type_)
    if isinstance(type_, Hashable) and type_ in value_types.TYPES:
        return value_types.TYPES[type_]
    if origin is Literal:
        return value_types.LiteralType(arguments)
    if origin in {Union, UnionType} and len(arguments) == 2 and NoneType in arguments:
        (inner,) = [argument for argument in arguments if argument is not NoneType]
        return value_types.OptionalType(setting_type(inner))
    if origin is Annotated:
        from heksherlite.values.annotations import constraints_of, unit_of  # noqa: PLC0415

        annotated, *metadata = arguments
        unit = unit_of(metadata)
        is_duration = annotated in value_types.DURATIONS and unit is not None
        inner = value_types.TimedeltaType(str(unit)) if is_duration else setting_type(annotated)
        constraints = constraints_of(metadata, value_types.whole_schema(inner), inner.convert_to_heksher)
        return value_types.AnnotatedType(inner, constraints)
    return None


def _type_of_class(type_: Any) -> SettingType[Any] | None:
    """Return the setting type of a class with fields, of the library that converts it, or ``None``."""
    if hasattr(type_, "__pydantic_validator__"):
        return _created("pydantic_types", "PydanticType", type_)
    if hasattr(type_, "__struct_config__"):
        return _created("msgspec_types", "MsgspecType", type_)
    if isinstance(type_, type) and (is_typeddict(type_) or any(hasattr(type_, name) for name in _FIELDS)):
        return _created("model_types", "HeksherModel", type_)
    return None


def _created(module: str, name: str, type_: Any) -> SettingType[Any]:
    """Return the setting type of a module that imports this one, or a library that most programs do not have."""
    from importlib import import_module  # noqa: PLC0415

    created: SettingType[Any] = getattr(import_module(f"heksherlite.values.{module}"), name)(type_)
    return created
