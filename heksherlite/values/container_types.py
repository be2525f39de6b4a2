"""Setting types for sequences and mappings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from heksherlite.values.conversions import Conversion, SettingType
from heksherlite.values.read_only import ReadOnlyDict
from heksherlite.values.setting_types import setting_type

T = TypeVar("T")


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

    def json_schema(self) -> dict[str, Any] | None:
        """Return the schema of lists whose elements satisfy the schema of their type, if it has one."""
        inner = self.inner.json_schema()
        return None if inner is None else {"items": inner}

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
        """Return a list of the converted elements.

        Raises:
            TypeError: If the value is not a sequence, or an element is of another type.
        """
        if isinstance(x, str | bytes | bytearray) or not isinstance(x, Sequence):
            raise TypeError(f"{x!r} is not a sequence, such as a list or a tuple")
        return [_convert_at(index, self.inner, element) for index, element in enumerate(x)]


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

    def json_schema(self) -> dict[str, Any] | None:
        """Return the schema of objects whose values satisfy the schema of their type, if it has one."""
        inner = self.inner.json_schema()
        return None if inner is None else {"additionalProperties": inner}

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
        return Conversion(ReadOnlyDict(values), tuple(coercions))

    def convert_to_heksher(self, x: Mapping[str, T]) -> Any:
        """Return a dict of the converted values.

        Raises:
            TypeError: If the value is not a mapping, a key is not a string, or a value is of another type.
        """
        if not isinstance(x, Mapping):
            raise TypeError(f"{x!r} is not a mapping, such as a dict")
        if wrong := [key for key in x if not isinstance(key, str)]:
            raise TypeError(f"the keys of a mapping must be strings, not {wrong[0]!r}")
        return {str.__str__(key): _convert_at(key, self.inner, element) for key, element in x.items()}


def _convert_at(place: object, inner: SettingType[Any], value: Any) -> Any:
    try:
        return inner.convert_to_heksher(value)
    except TypeError as error:
        raise TypeError(f"at [{place!r}]: {error}") from error
