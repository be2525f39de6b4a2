"""What a setting's values are in Python, and how they travel: Python types to wire types and back.

A :class:`SettingType` knows its wire type, and converts values both ways. Where the service has a value that the
Python side can use only in part (a flag that this version of the program does not know), the conversion gives what it
can and says what it left out: a *coercion*.
"""

import collections.abc
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum, Flag, IntFlag
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NamedTuple, TypeVar, cast, get_args, get_origin

if TYPE_CHECKING:
    from heksherlite.wire_types import WireType

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
F = TypeVar("F", bound=IntFlag)


class Conversion(NamedTuple, Generic[T]):
    """A value from the service, as a Python value.

    Attributes:
        value: The Python value.
        coercions: What was left out or changed to get there, a sentence each; empty if nothing was.
    """

    value: T
    coercions: Sequence[str] = ()


class SettingType(ABC, Generic[T]):
    """How values of one Python type travel. Subclass it for a type of your own.

    A subclass defines :meth:`heksher_string`, :meth:`convert_from_heksher` and :meth:`convert_to_heksher`.
    """

    __slots__ = ()

    @abstractmethod
    def heksher_string(self) -> str:
        """Return the wire type, such as ``Sequence<int>``."""

    @abstractmethod
    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Convert a JSON value from the service.

        Raises:
            TypeError: If no value of this type can be made of it.
        """

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Convert many JSON values at once, where that is faster than one by one.

        Returns:
            The values, or ``None`` if they have to be converted one by one, as some may not fit or need coercion.
        """
        del xs
        return None

    @abstractmethod
    def convert_to_heksher(self, x: T) -> Any:
        """Convert a Python value to the JSON value that the service stores."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.heksher_string() == other.heksher_string()

    def __hash__(self) -> int:
        return hash(self.heksher_string())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.heksher_string()})"


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
        """Convert a JSON value; a whole-number float is an ``int`` for an ``int``."""
        if type(x) in self._exactly:
            return Conversion(x)
        if self.type_ is int and isinstance(x, float) and x.is_integer():
            return Conversion(cast("T", int(x)))
        raise TypeError(f"value {x!r} is not of type {self.heksher_string()}")

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Return the values themselves, if they are all of the type."""
        return xs if self._exactly.issuperset(map(type, xs)) else None

    def convert_to_heksher(self, x: T) -> Any:
        """Return the value itself."""
        return x


class HeksherEnum(SettingType[E]):
    """The members of an :class:`enum.Enum` class, which travel as their values.

    Args:
        type_: The class. Its members' values must be strings, numbers or booleans.

    Raises:
        TypeError: If a member's value is none of these, or the class has no members.
    """

    __slots__ = ("_members", "_wire_type", "type_")

    def __init__(self, type_: type[E]) -> None:
        self.type_: Final = type_
        for member in type_:
            if not isinstance(member.value, str | int | float):
                raise TypeError(
                    f"{member} has the value {member.value!r}; a setting's enum members can only have "
                    "strings, numbers and booleans as values"
                )
        self._wire_type = _wire_options("Enum", type_, (member.value for member in type_))
        self._members = {_json_identity(member.value): member for member in type_}

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Enum["bright","dark"]``."""
        return str(self._wire_type)

    def convert_from_heksher(self, x: Any) -> Conversion[E]:
        """Return the member that has the value."""
        try:
            return Conversion(self._members[_json_identity(x)])
        except (KeyError, TypeError):
            raise TypeError("value is not a valid enum member") from None

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[E] | None:
        """Return the members that have the values, if there is one for each."""
        try:
            return [self._members[_json_identity(x)] for x in xs]
        except (KeyError, TypeError):
            return None

    def convert_to_heksher(self, x: E) -> Any:
        """Return the member's value."""
        return x.value


class HeksherFlags(SettingType[F]):
    """The members of an :class:`enum.IntFlag` class, which travel as a list of their names.

    Args:
        type_: The class.

    Raises:
        TypeError: If it is not a class of flags, or has no members.
    """

    __slots__ = ("_wire_type", "type_")

    def __init__(self, type_: type[F]) -> None:
        if not (isinstance(type_, type) and issubclass(type_, Flag)):
            raise TypeError(f"{type_!r} is not a class of flags")
        self.type_: Final = type_
        self._wire_type = _wire_options("Flags", type_, type_.__members__)

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Flags["read","write"]``."""
        return str(self._wire_type)

    def convert_from_heksher(self, x: Any) -> Conversion[F]:
        """Join the named flags. Names that the class lacks are dropped, which is a coercion."""
        if not isinstance(x, list | tuple):
            raise TypeError(f"value {x!r} is not a list of flag names")
        value = self.type_(0)
        coercions = []
        for name in x:
            member = self.type_.__members__.get(name) if isinstance(name, str) else None
            if member is None:
                coercions.append(f"server sent a flag value not found in the python type ({name})")
            else:
                value |= member
        return Conversion(value, tuple(coercions))

    def convert_to_heksher(self, x: F) -> Any:
        """Return the names of the flags that are set."""
        return [member.name for member in self.type_ if member in x]


class HeksherSequence(SettingType[Sequence[T]]):
    """A sequence of one type, a tuple in Python.

    Args:
        inner: The type of the elements, as a :class:`SettingType` or what :func:`setting_type` accepts.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner: Final[SettingType[T]] = setting_type(inner)

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Sequence<int>``."""
        return f"Sequence<{self.inner.heksher_string()}>"

    def convert_from_heksher(self, x: Any) -> Conversion[Sequence[T]]:
        """Convert each element. Those that cannot be converted are dropped, which is a coercion."""
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
    """A mapping of strings to one type, a read-only mapping in Python.

    Args:
        inner: The type of the values, as a :class:`SettingType` or what :func:`setting_type` accepts.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner: Final[SettingType[T]] = setting_type(inner)

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Mapping<int>``."""
        return f"Mapping<{self.inner.heksher_string()}>"

    def convert_from_heksher(self, x: Any) -> Conversion[Mapping[str, T]]:
        """Convert each value. Those that cannot be converted are dropped, which is a coercion."""
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
        """Return the mapping of the converted values."""
        return {key: self.inner.convert_to_heksher(element) for key, element in x.items()}


_PRIMITIVES: Final[Mapping[Any, frozenset[type]]] = {
    int: frozenset({int}),
    float: frozenset({int, float}),
    str: frozenset({str}),
    bool: frozenset({bool}),
}
"""The Python types of the JSON values that are values of a type as they are."""


def setting_type(type_: Any) -> SettingType[Any]:
    """Return the setting type of a Python type.

    Args:
        type_: ``int``, ``float``, ``str``, ``bool``, an :class:`enum.Enum` or :class:`enum.IntFlag` class,
            ``Sequence[T]`` or ``Mapping[str, T]`` (of :mod:`collections.abc` or :mod:`typing`), or a
            :class:`SettingType`, which is returned as it is.

    Raises:
        TypeError: For a mapping with keys other than ``str``, and for an enum with values that do not travel.
        RuntimeError: For anything else.
    """
    if isinstance(type_, SettingType):
        return type_
    if isinstance(type_, type) and type_ in _PRIMITIVES:
        return _primitive(type_)
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
        f"cannot make a setting type of {type_!r}: use int, float, str, bool, an Enum or IntFlag class, Sequence[T], "
        "Mapping[str, T], or a SettingType of your own"
    )


@cache
def _primitive(type_: type[Any]) -> PrimitiveSettingType[Any]:
    return PrimitiveSettingType(type_)


def _wire_options(kind: Literal["Enum", "Flags"], type_: type[Enum], options: Any) -> "WireType":
    from heksherlite import wire_types  # noqa: PLC0415 - only settings of enums and flags need it

    try:
        return (wire_types.EnumType if kind == "Enum" else wire_types.FlagsType)(options)
    except ValueError as error:
        raise TypeError(f"{type_.__name__} cannot be the type of a setting: {error}") from error


def _json_identity(value: Any) -> tuple[bool, Any]:
    """Return a key that tells ``true`` from ``1``, as JSON does, and not ``1`` from ``1.0``."""
    return isinstance(value, bool), value
