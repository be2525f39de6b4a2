"""What the setting types of pydantic and msgspec have in common: the library makes the schema and the instances."""

import reprlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from heksherlite.values.conversions import Conversion, SettingType
from heksherlite.values.faults import Fault, ValueFaultsError

T = TypeVar("T")

Walker = Callable[[Any], Iterator[Fault]]
"""Yields the unknown keys of a value; those that may be dropped are marked as such."""


class LibraryType(SettingType[T]):
    """The instances of a class whose library converts them.

    Args:
        type_: The class.
        schema: The schema that the library makes.

    Raises:
        TypeError: If the schema refers to itself.
    """

    __slots__ = ("_keys", "_schema", "_unknown_keys", "type_")

    def __init__(self, type_: type[T], schema: Mapping[str, Any]) -> None:
        self.type_: Final = type_
        self._schema: Final = inlined(schema)
        self._unknown_keys: Final = _walker(self._schema)
        self._keys: Final = _only_keys(self._schema)

    def heksher_string(self) -> str:
        """Return ``Json``."""
        return "Json"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the objects."""
        return dict(self._schema)

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the instance of an object."""
        try:
            value = self.make(x)
        except ValueFaultsError:
            # JSON does not tell 5.0 from 5, and the libraries do.
            whole = _with_whole_numbers(x)
            value = self.make(whole)
        if self._unknown_keys is None:
            return Conversion(value)
        unknown = list(self._unknown_keys(x))
        if refused := [fault for fault in unknown if not fault.is_unknown_key]:
            raise ValueFaultsError(refused)
        return Conversion(value, tuple(map(str, unknown)))

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Return the instances, or ``None`` if an object has a fault."""
        keys, unknown_keys = self._keys, self._unknown_keys
        try:
            values = self.make_all(xs)
        except ValueFaultsError:
            return None
        if keys is not None:
            return values if all(map(keys.issuperset, xs)) else None
        if unknown_keys is not None and any(fault for x in xs for fault in unknown_keys(x)):
            return None
        return values

    def convert_to_heksher(self, x: T) -> Any:
        """Return the object of an instance.

        Raises:
            TypeError: If it is of another class, or does not come back as it is.
        """
        if type(x) is not self.type_:
            raise TypeError(f"{reprlib.repr(x)} is not a {self.type_.__name__}")
        sent = self.unmake(x)
        if self.make(sent) != x:
            raise TypeError(f"{reprlib.repr(x)} is something else after it was sent: {reprlib.repr(sent)}")
        return sent

    @abstractmethod
    def make(self, x: Any) -> T:
        """Return the instance of an object. Raise :class:`ValueFaultsError` if it has faults."""

    @abstractmethod
    def make_all(self, xs: Sequence[Any]) -> Sequence[T]:
        """Return the instances of objects. Raise :class:`ValueFaultsError` if one has faults."""

    @abstractmethod
    def unmake(self, x: T) -> Any:
        """Return the object of an instance. Raise :class:`TypeError` if it is not valid."""


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to in place of each reference, so that it can be part of another schema.

    Raises:
        TypeError: If a part refers to itself.
    """
    definitions = schema.get("$defs", {})

    def inline(part: Any, opened: tuple[str, ...]) -> Any:
        if isinstance(part, list):
            return [inline(item, opened) for item in part]
        if not isinstance(part, Mapping):
            return part
        reference = part.get("$ref")
        rest = {key: inline(value, opened) for key, value in part.items() if key not in {"$ref", "$defs"}}
        if not isinstance(reference, str):
            return rest
        name = reference.removeprefix("#/$defs/")
        if name in opened:
            raise TypeError(f"{name} has itself in a field, which a schema of a setting cannot describe")
        return {**inline(definitions[name], (*opened, name)), **rest}

    result: dict[str, Any] = inline(schema, ())
    return result


def _only_keys(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the keys that objects of a schema may have, or ``None`` if values inside them have to be looked at too."""
    properties = schema.get("properties")
    is_closed = schema.get("additionalProperties") is False
    if properties is None or not is_closed or any(map(_walker, properties.values())):
        return None
    return frozenset(properties)


def _walker(schema: Any) -> Walker | None:
    """Return what finds the unknown keys in values of a schema, or ``None`` if there cannot be any."""
    if not isinstance(schema, Mapping):
        return None
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _walker_of_branches([each for each in schema[keyword] if each != {"type": "null"}])
    if "properties" in schema:
        return _walker_of_object(schema)
    if (items := _walker(schema.get("items"))) is not None:
        return lambda value: _below(items, enumerate(value) if isinstance(value, list) else ())
    if (values := _walker(schema.get("additionalProperties"))) is not None:
        return lambda value: _below(values, value.items() if isinstance(value, dict) else ())
    return None


def _walker_of_branches(branches: Sequence[Any]) -> Walker | None:
    walkers = [_walker(branch) for branch in branches]
    known = [walker for walker in walkers if walker is not None]
    if len(known) < len(walkers):
        return None

    def walk(value: Any) -> Iterator[Fault]:
        found = [list(walker(value)) for walker in known]
        yield from min(found, key=len, default=[])

    return walk


def _walker_of_object(schema: Mapping[str, Any]) -> Walker | None:
    properties = schema["properties"]
    walkers = {name: walker for name, each in properties.items() if (walker := _walker(each)) is not None}
    others = schema.get("additionalProperties")
    is_open = others is not None and others is not False
    if is_open and not walkers:
        return None

    def walk(value: Any) -> Iterator[Fault]:
        if not isinstance(value, dict):
            return
        if not is_open and not value.keys() <= properties.keys():
            for name in value.keys() - properties.keys():
                yield Fault((name,), "is not a known key", is_unknown_key=others is None)
        for name, walker in walkers.items():
            if name in value:
                yield from (fault.below(name) for fault in walker(value[name]))

    return walk


def _below(walker: Walker, items: Any) -> Iterator[Fault]:
    for step, item in items:
        yield from (fault.below(step) for fault in walker(item))


def _with_whole_numbers(x: Any) -> Any:
    if isinstance(x, float) and x.is_integer():
        return int(x)
    if isinstance(x, list | tuple):
        return [_with_whole_numbers(item) for item in x]
    return {key: _with_whole_numbers(item) for key, item in x.items()} if isinstance(x, dict) else x
