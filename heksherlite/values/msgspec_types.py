"""The setting type of msgspec's structs. This module imports msgspec."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from heksherlite.values.faults import Fault, ValueFaultsError
from heksherlite.values.library_types import LibraryType

T = TypeVar("T")

_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
"""A step of the paths in the messages of msgspec."""


class MsgspecType(LibraryType[T]):
    """The instances of a msgspec struct.

    msgspec converts them, in strict mode. Unknown keys are refused.

    Args:
        type_: The class.

    Raises:
        TypeError: If msgspec cannot make a schema of it, or it has itself in a field.
    """

    __slots__ = ()

    def __init__(self, type_: type[T]) -> None:
        super().__init__(type_, _closed(_as_json(msgspec.json.schema(type_))))

    def make(self, x: Any) -> T:
        """Return the instance of an object. Raise :class:`ValueFaultsError` if it has faults."""
        try:
            return msgspec.convert(x, self.type_)
        except msgspec.ValidationError as error:
            raise _faults(error) from error

    def make_all(self, xs: Sequence[Any]) -> Sequence[T]:
        """Return the instances of objects. Raise :class:`ValueFaultsError` if one has faults."""
        try:
            return msgspec.convert(xs, list[self.type_])  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            raise _faults(error) from error

    def unmake(self, x: T) -> Any:
        """Return the object of an instance. Raise :class:`TypeError` if it is not valid."""
        return _as_json(x)


def _as_json(x: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(x))


def _faults(error: msgspec.ValidationError) -> ValueFaultsError:
    text, _, place = str(error).partition(" - at `")
    path = [int(index) if index else name for name, index in _STEP.findall(place)]
    return ValueFaultsError([Fault(tuple(path), text)])


def _closed(schema: Any) -> Any:
    """Return a schema whose objects with properties have no other keys."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key in {"default", "enum"} else _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
