"""Setting types for values beyond the primitives: times, texts with a format, literals, ``None``, and JSON as it is."""

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from heksherlite.values.annotations import Constraints
from heksherlite.values.conversions import Conversion, SettingType
from heksherlite.values.json_schemas import combined, merged
from heksherlite.values.read_only import ReadOnlyDict
from heksherlite.values.schema_formats import DECIMAL_PATTERN, READERS
from heksherlite.values.type_strings import parse_type
from heksherlite.values.wire_types import EnumType

T = TypeVar("T")

_DECIMAL: Final = re.compile(DECIMAL_PATTERN.replace("$", r"\Z"))

_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def whole_schema(type_: SettingType[Any]) -> dict[str, Any]:
    """Return the JSON Schema of the values of a setting type, with the wire type."""
    return combined(parse_type(type_.heksher_string()), type_.json_schema())


class TextType(SettingType[T]):
    """Values that are sent as texts.

    Args:
        type_: The Python type.
        schema: The schema of the texts.
        read: Returns the value of a text, or raises :class:`ValueError`.
        write: Returns the text of a value, or raises :class:`TypeError`.
    """

    __slots__ = ("_read", "_schema", "_write", "type_")

    def __init__(
        self, type_: type[T], schema: Mapping[str, Any], read: Callable[[str], T], write: Callable[[T], str] = str
    ) -> None:
        self.type_: Final = type_
        self._schema: Final = schema
        self._read: Final = read
        self._write: Final = write

    def heksher_string(self) -> str:
        """Return ``str``."""
        return "str"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the texts."""
        return dict(self._schema)

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the value of a text."""
        if not isinstance(x, str):
            raise TypeError(f"value {reprlib.repr(x)} is not of type str")
        try:
            return Conversion(self._read(x))
        except (ValueError, ArithmeticError) as error:
            raise TypeError(f"value {reprlib.repr(x)} is not a {self.type_.__name__}: {error}") from error

    def convert_to_heksher(self, x: T) -> Any:
        """Return the text of a value.

        Raises:
            TypeError: If it is of another type, or has no text that means the same everywhere.
        """
        if not isinstance(x, self.type_) or (self.type_ is date and isinstance(x, datetime)):
            raise TypeError(f"{x!r} is not a {self.type_.__name__}")
        return self._write(x)


class TimedeltaType(SettingType[timedelta]):
    """Durations. The service has them as numbers of a unit.

    Args:
        unit: The unit; see :class:`~heksherlite.Unit`.

    Raises:
        TypeError: If there is no such unit.
    """

    __slots__ = ("_seconds", "unit")

    def __init__(self, unit: str = "s") -> None:
        if unit not in _UNITS:
            raise TypeError(f"{unit!r} is not a unit of time: use one of {', '.join(_UNITS)}")
        self.unit: Final = unit
        self._seconds = timedelta(seconds=_UNITS[unit])

    def heksher_string(self) -> str:
        """Return ``float``."""
        return "float"

    def json_schema(self) -> dict[str, Any]:
        """Return the unit and the longest durations that Python has."""
        longest = timedelta.max.days * (timedelta(days=1) / self._seconds)
        return {"unit": self.unit, "minimum": -longest, "maximum": longest}

    def convert_from_heksher(self, x: Any) -> Conversion[timedelta]:
        """Return the duration of a number."""
        if isinstance(x, bool) or not isinstance(x, int | float):
            raise TypeError(f"value {x!r} is not a number of {self.unit}")
        schema = self.json_schema()
        if not schema["minimum"] <= x <= schema["maximum"]:
            raise TypeError(f"value {x!r} is too long for a duration in {self.unit}")
        return Conversion(x * self._seconds)

    def convert_to_heksher(self, x: timedelta) -> Any:
        """Return the number of units.

        Raises:
            TypeError: If it is not a duration.
        """
        if not isinstance(x, timedelta):
            raise TypeError(f"{x!r} is not a timedelta")
        number = x / self._seconds
        if number * self._seconds != x:
            raise TypeError(f"{x!r} is no exact number of {self.unit}; use a smaller unit, or whole seconds")
        return int(number) if number.is_integer() else number


class LiteralType(SettingType[T]):
    """The values of ``Literal``.

    Args:
        values: The values: strings, integers, booleans or ``None``.

    Raises:
        TypeError: If a value is of another type.
    """

    __slots__ = ("_values", "_wire_type")

    def __init__(self, values: Sequence[T]) -> None:
        for value in values:
            if type(value) not in {str, int, bool, type(None)}:
                raise TypeError(f"{value!r} in a Literal cannot be sent: use strings, integers, booleans and None")
        self._wire_type: Final = EnumType(cast("Any", values))
        self._values: Final = {(type(value) is bool, value): value for value in values}

    def heksher_string(self) -> str:
        """Return the wire type, such as ``Enum["a","b"]``."""
        return str(self._wire_type)

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the value."""
        try:
            return Conversion(self._values[isinstance(x, bool), x])
        except (KeyError, TypeError):
            raise TypeError(f"value {reprlib.repr(x)} is not one of {', '.join(map(repr, self._shown()))}") from None

    def convert_to_heksher(self, x: T) -> Any:
        """Return the value.

        Raises:
            TypeError: If it is not one of those of the ``Literal``.
        """
        return self.convert_from_heksher(x).value

    def _shown(self) -> list[T]:
        return list(self._values.values())


class OptionalType(SettingType[T | None]):
    """The values of a type, and ``None``.

    Args:
        inner: The type.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: SettingType[T]) -> None:
        self.inner: Final = inner

    def heksher_string(self) -> str:
        """Return ``Json``."""
        return "Json"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the type and of null."""
        return {"anyOf": [whole_schema(self.inner), {"type": "null"}]}

    def convert_from_heksher(self, x: Any) -> Conversion[T | None]:
        """Return ``None`` for null, and convert other values."""
        return Conversion(None) if x is None else cast("Conversion[T | None]", self.inner.convert_from_heksher(x))

    def convert_to_heksher(self, x: T | None) -> Any:
        """Return ``None`` for ``None``, and convert other values."""
        return None if x is None else self.inner.convert_to_heksher(x)


class JsonValueType(SettingType[Any]):
    """JSON as it is. Lists become tuples, and objects read-only mappings."""

    __slots__ = ()

    def heksher_string(self) -> str:
        """Return ``Json``."""
        return "Json"

    def convert_from_heksher(self, x: Any) -> Conversion[Any]:
        """Return the value, read-only."""
        return Conversion(_frozen(x))

    def convert_to_heksher(self, x: Any) -> Any:
        """Return the value as JSON.

        Raises:
            TypeError: If a part of it is not JSON.
        """
        if x is None or isinstance(x, str | int | float):
            return x
        if isinstance(x, list | tuple):
            return [self.convert_to_heksher(item) for item in x]
        if isinstance(x, Mapping) and all(isinstance(key, str) for key in x):
            return {key: self.convert_to_heksher(item) for key, item in x.items()}
        raise TypeError(f"{x!r} is not JSON")


class AnnotatedType(SettingType[T]):
    """A type with constraints on its values.

    Args:
        inner: The type.
        constraints: The constraints.
    """

    __slots__ = ("constraints", "inner")

    def __init__(self, inner: SettingType[T], constraints: Constraints) -> None:
        self.inner: Final = inner
        self.constraints: Final = constraints

    def heksher_string(self) -> str:
        """Return the wire type of the type."""
        return self.inner.heksher_string()

    def json_schema(self) -> dict[str, Any] | None:
        """Return the schema of the type with the constraints."""
        return merged(self.inner.json_schema() or {}, self.constraints.keywords) or None

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Convert the value, which must satisfy the constraints."""
        conversion = self.inner.convert_from_heksher(x)
        problem = self.constraints.problem(x)
        if problem is None and conversion.coercions:
            problem = self.constraints.problem(self.inner.convert_to_heksher(conversion.value))
        if problem is not None:
            raise TypeError(f"value {reprlib.repr(x)} {problem}")
        self.constraints.check_value(conversion.value)
        return conversion

    def convert_to_heksher(self, x: T) -> Any:
        """Convert the value."""
        return self.inner.convert_to_heksher(x)


def _frozen(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return tuple([_frozen(item) for item in x])
    if isinstance(x, Mapping):
        return ReadOnlyDict({key: _frozen(item) for key, item in x.items()})
    return x


def _write_date_time(x: datetime) -> str:
    offset = x.utcoffset()
    if offset is None:
        raise TypeError(f"{x!r} has no time zone; write datetime(..., tzinfo=UTC)")
    if offset % timedelta(minutes=1):
        x = x.astimezone(UTC)
    return x.isoformat().replace("+00:00", "Z")


def _write_time(x: time) -> str:
    return x.isoformat().replace("+00:00", "Z")


def _write_decimal(x: Decimal) -> str:
    if not x.is_finite():
        raise TypeError(f"{x!r} is not a number")
    return str(x)


def _read_decimal(text: str) -> Decimal:
    if _DECIMAL.search(text) is None:
        raise ValueError("expected a decimal number, such as 1.50")
    return Decimal(text)


DURATIONS: Final = (timedelta,)
"""The types whose values have a unit in the service."""

_IP_TYPES: Final = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)

TYPES: Final[Mapping[Any, SettingType[Any]]] = {
    timedelta: TimedeltaType(),
    datetime: TextType(datetime, {"format": "date-time"}, READERS["date-time"], _write_date_time),
    date: TextType(date, {"format": "date"}, READERS["date"], date.isoformat),
    time: TextType(time, {"format": "time"}, READERS["time"], _write_time),
    UUID: TextType(UUID, {"format": "uuid"}, READERS["uuid"]),
    Decimal: TextType(Decimal, {"pattern": DECIMAL_PATTERN}, _read_decimal, _write_decimal),
    Path: TextType(Path, {"format": "path"}, Path),
    PurePath: TextType(PurePath, {"format": "path"}, PurePath),
    **{
        type_: TextType(type_, {"format": type_.__name__.lower().removesuffix("address")}, type_) for type_ in _IP_TYPES
    },
    Any: JsonValueType(),
}
"""The Python types of this module that have one setting type each."""
