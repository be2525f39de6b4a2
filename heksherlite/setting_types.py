"""The setting type of each Python type."""

import collections.abc
from collections.abc import Mapping, Sequence
from enum import Enum, IntFlag
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast, get_args, get_origin

from heksherlite.conversions import Conversion, SettingType
from heksherlite.enum_types import HeksherEnum, HeksherFlags

T = TypeVar("T")


class PrimitiveSettingType(SettingType[T]):
    """``int``, ``float``, ``str`` or ``bool``.

    Args:
        type_: The Python type.
    """

    __slots__ = ("_exactly", "type_")

    def __init__(self, type_: type[T]) -> None:
        self.type_: Final = type_
        self._exactly = _PRIMITIVES[type_]

    def heksher_string(self) -> str:
        """Return the wire type."""
        return self.type_.__name__

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the value. A whole-number float becomes an ``int`` if the type is ``int``."""
        if type(x) in self._exactly:
            return Conversion(x)
        if self.type_ is int and isinstance(x, float) and x.is_integer():
            return Conversion(cast("T", int(x)))
        raise TypeError(f"value {x!r} is not of type {self.heksher_string()}")

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Return the values unchanged, or ``None`` if one of them is of another type."""
        return xs if self._exactly.issuperset(map(type, xs)) else None

    def convert_to_heksher(self, x: T) -> Any:
        """Return the value unchanged."""
        return x


class HeksherSequence(SettingType[Sequence[T]]):
    """A sequence of elements of one type. Its values are tuples.

    Args:
        inner: The type of the elements: a :class:`~heksherlite.SettingType`, or a type that
            :func:`~heksherlite.setting_type` accepts.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner: Final[SettingType[T]] = setting_type(inner)

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Sequence<int>``."""
        return f"Sequence<{self.inner.heksher_string()}>"

    def convert_from_heksher(self, x: Any) -> Conversion[Sequence[T]]:
        """Convert each element. An element that cannot be converted is dropped, which is a coercion."""
        if not isinstance(x, list | tuple):
            raise TypeError(f"value {x!r} is not a list")
        values = []
        coercions: list[str] = []
        for index, element in enumerate(x):
            try:
                conversion = self.inner.convert_from_heksher(element)
            except TypeError as error:
                coercions.append(f"failed to convert element {index}: {error!r}")
                continue
            values.append(conversion.value)
            coercions.extend(f"element {index}: {coercion}" for coercion in conversion.coercions)
        return Conversion(tuple(values), tuple(coercions))

    def convert_to_heksher(self, x: Sequence[T]) -> Any:
        """Return the list of the converted elements."""
        return [self.inner.convert_to_heksher(element) for element in x]


class HeksherMapping(SettingType[Mapping[str, T]]):
    """A mapping of strings to values of one type. Its values are read-only mappings.

    Args:
        inner: The type of the values: a :class:`~heksherlite.SettingType`, or a type that
            :func:`~heksherlite.setting_type` accepts.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner: Final[SettingType[T]] = setting_type(inner)

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Mapping<int>``."""
        return f"Mapping<{self.inner.heksher_string()}>"

    def convert_from_heksher(self, x: Any) -> Conversion[Mapping[str, T]]:
        """Convert each value. A value that cannot be converted is dropped, which is a coercion."""
        if not isinstance(x, Mapping):
            raise TypeError(f"value {x!r} is not a mapping")
        values = {}
        coercions: list[str] = []
        for key, element in x.items():
            try:
                conversion = self.inner.convert_from_heksher(element)
            except TypeError as error:
                coercions.append(f"failed to convert value for key {key}: {error!r}")
                continue
            values[key] = conversion.value
            coercions.extend(f"{key}: {coercion}" for coercion in conversion.coercions)
        return Conversion(MappingProxyType(values), tuple(coercions))

    def convert_to_heksher(self, x: Mapping[str, T]) -> Any:
        """Return a dict of the converted values."""
        return {key: self.inner.convert_to_heksher(element) for key, element in x.items()}


_PRIMITIVES: Final[Mapping[Any, frozenset[type]]] = {
    int: frozenset({int}),
    float: frozenset({int, float}),
    str: frozenset({str}),
    bool: frozenset({bool}),
}
"""The Python types of the JSON values that need no conversion, for each primitive type."""

_SETTING_TYPES: Final[Mapping[Any, SettingType[Any]]] = {type_: PrimitiveSettingType(type_) for type_ in _PRIMITIVES}
"""The Python types that have one setting type each. Classes of enums and generic types have many."""


def setting_type(type_: Any) -> SettingType[Any]:
    """Return the setting type of a Python type.

    Args:
        type_: ``int``, ``float``, ``str``, ``bool``, an :class:`enum.Enum` or :class:`enum.IntFlag` class,
            ``Sequence[T]`` or ``Mapping[str, T]`` (from :mod:`collections.abc` or :mod:`typing`), or a
            :class:`~heksherlite.SettingType`, which is returned unchanged.

    Raises:
        TypeError: If the keys of a mapping are not ``str``, or the members of an enum have values other than strings,
            numbers and booleans.
        RuntimeError: If ``type_`` is anything else.
    """
    if isinstance(type_, SettingType):
        return type_
    if isinstance(type_, type) and type_ in _SETTING_TYPES:
        return _SETTING_TYPES[type_]
    if isinstance(type_, type) and issubclass(type_, IntFlag):
        return HeksherFlags(type_)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return HeksherEnum(type_)
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is collections.abc.Sequence and arguments:
        return HeksherSequence(arguments[0])
    if origin is collections.abc.Mapping and arguments:
        key, value = arguments
        if key is not str:
            raise TypeError(f"the keys of a mapping setting must be str, not {key!r}")
        return HeksherMapping(value)
    raise RuntimeError(
        f"{type_!r} cannot be the type of a setting: use int, float, str, bool, an Enum or IntFlag class, Sequence[T], "
        "Mapping[str, T], or a SettingType of your own"
    )
