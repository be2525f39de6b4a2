"""Setting types for enums and flags."""

from enum import Enum, Flag
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from heksherlite.values.conversions import Conversion, SettingType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heksherlite.values.wire_types import WireType

E = TypeVar("E", bound=Enum)
F = TypeVar("F", bound=Flag)


class HeksherEnum(SettingType[E]):
    """The members of an :class:`enum.Enum` class. A member is sent as its value.

    Args:
        type_: The class. The values of its members are strings, numbers or booleans.

    Raises:
        TypeError: If the class has no members, or a member has another value.
    """

    __slots__ = ("_members", "_wire_type", "type_")

    def __init__(self, type_: type[E]) -> None:
        self.type_: Final = type_
        for member in type_:
            if not isinstance(member.value, str | int | float):
                raise TypeError(
                    f"{member} has the value {member.value!r}; the enum of a setting can only have members with "
                    "strings, numbers and booleans as values"
                )
        self._wire_type = _wire_type("Enum", type_, (member.value for member in type_))
        self._members = {_json_identity(member.value): member for member in type_}

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Enum["bright","dark"]``."""
        return str(self._wire_type)

    def convert_from_heksher(self, x: Any) -> Conversion[E]:
        """Return the member with the given value."""
        try:
            return Conversion(self._members[_json_identity(x)])
        except (KeyError, TypeError):
            raise TypeError("value is not a valid enum member") from None

    def convert_all_from_heksher(self, xs: "Sequence[Any]") -> "Sequence[E] | None":
        """Return the members with the given values, or ``None`` if a value has no member."""
        try:
            return [self._members[_json_identity(x)] for x in xs]
        except (KeyError, TypeError):
            return None

    def convert_to_heksher(self, x: E) -> Any:
        """Return the value of the member.

        Raises:
            TypeError: If it is not a member of the class.
        """
        if not isinstance(x, self.type_):
            raise TypeError(f"{x!r} is not a member of {self.type_.__name__}: use {_members_text(self.type_)}")
        return x.value


class HeksherFlags(SettingType[F]):
    """The combinations of the members of an :class:`enum.Flag` or :class:`enum.IntFlag` class, sent as member names.

    Args:
        type_: The class.

    Raises:
        TypeError: If it is not a class of flags, or has no members.
    """

    __slots__ = ("_by_width", "_wire_type", "type_")

    def __init__(self, type_: type[F]) -> None:
        if not (isinstance(type_, type) and issubclass(type_, Flag)):
            raise TypeError(f"{type_!r} is not a class of flags")
        self.type_: Final = type_
        self._wire_type = _wire_type("Flags", type_, type_.__members__)
        self._by_width = sorted(type_.__members__.items(), key=lambda item: item[1].value.bit_count())

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Flags["read","write"]``."""
        return str(self._wire_type)

    def convert_from_heksher(self, x: Any) -> Conversion[F]:
        """Combine the named flags. A name that the class does not define is dropped, which is a coercion."""
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
        """Return the names of the flags that make up the value.

        Raises:
            TypeError: If it is not of the class, or has bits that no member has.
        """
        if not isinstance(x, self.type_):
            raise TypeError(f"{x!r} is not a value of {self.type_.__name__}: use {_members_text(self.type_)}")
        names = []
        bits = x.value
        for name, member in self._by_width:
            if member.value & bits and member.value & x.value == member.value:
                names.append(name)
                bits &= ~member.value
        if bits:
            raise TypeError(f"{x!r} has bits that no member of {self.type_.__name__} has: {bits:#b}")
        return names


def _wire_type(kind: Literal["Enum", "Flags"], type_: type[Enum], options: Any) -> "WireType":
    from heksherlite.values import wire_types  # noqa: PLC0415 - only settings of enums and flags need it

    try:
        return (wire_types.EnumType if kind == "Enum" else wire_types.FlagsType)(options)
    except ValueError as error:
        raise TypeError(f"{type_.__name__} cannot be the type of a setting: {error}") from error


def _members_text(type_: type[Enum]) -> str:
    return ", ".join(f"{type_.__name__}.{name}" for name in type_.__members__)


def _json_identity(value: Any) -> tuple[bool, Any]:
    """Return a key that compares as in JSON: ``true`` differs from ``1``, and ``1`` equals ``1.0``."""
    return isinstance(value, bool), value
