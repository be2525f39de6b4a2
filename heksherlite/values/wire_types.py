"""The types of settings in the API: print them, check values, compare types.

A wire type is one of ``int``, ``float``, ``str``, ``bool``, ``Enum[...]``, ``Flags[...]``, ``Sequence<...>``,
``Mapping<...>`` and ``Json``. Its values are JSON. The classes here are immutable and hashable. They are independent of
Python classes, HTTP and storage, so the SDK and the service share them::

    str(EnumType(["maybe", True, False]))                                # Enum["maybe",false,true]
    MappingType(EnumType(["dark", "bright"])).accepts({"theme": "dark"})    # True

Options compare as in JSON and not as in Python: ``1`` equals ``1.0``, and ``1`` differs from ``true``. For this reason
they are stored as their canonical JSON texts.
"""

import json
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, TypeAlias

JsonPrimitive: TypeAlias = str | int | float | bool | None
PrimitiveName = Literal["int", "float", "str", "bool"]

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1  # JSON parsers in other languages keep these exactly


_MAX_QUOTED = 200


@dataclass(frozen=True, slots=True)
class PrimitiveType:
    """``int``, ``float``, ``str`` or ``bool``; also available as `INT`, `FLOAT`, `STR` and `BOOL`.

    A whole-number float (``5.0``) is an ``int``. Every number is a ``float``. A boolean is neither.
    """

    name: PrimitiveName

    def __str__(self) -> str:
        return self.name

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value is of this type."""
        match self.name:
            case "str":
                return isinstance(value, str)
            case "bool":
                return isinstance(value, bool)
            case "float":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "int":
                if isinstance(value, float):
                    return value.is_integer()
                return isinstance(value, int) and not isinstance(value, bool)

    def problem(self, value: Any) -> str | None:
        """Return why a JSON value is not of this type, or ``None`` if it is."""
        return None if self.accepts(value) else f"{reprlib.repr(value)} is not of type {shorten(self)}"


@dataclass(frozen=True, slots=True, init=False)
class EnumType:
    """``Enum[o1,o2,...]``: one of the options.

    Args:
        options: At least one JSON primitive. The types may be mixed. Duplicates are ignored.

    Raises:
        ValueError: If there are no options, or an option is not a JSON primitive that every JSON parser preserves: an
            infinite number, an integer beyond 64 bits, or a string with lone surrogates.
    """

    option_texts: frozenset[str]

    def __init__(self, options: Iterable[JsonPrimitive]) -> None:
        object.__setattr__(self, "option_texts", _option_texts(options))

    def __str__(self) -> str:
        return f"Enum[{','.join(sorted(self.option_texts))}]"

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value is one of the options."""
        return _is_option(value, self.option_texts)

    def problem(self, value: Any) -> str | None:
        """Return why a JSON value is not of this type, or ``None`` if it is."""
        return None if self.accepts(value) else f"{reprlib.repr(value)} is not one of the options of {shorten(self)}"


@dataclass(frozen=True, slots=True, init=False)
class FlagsType:
    """``Flags[o1,o2,...]``: a list of distinct options.

    Args:
        options: As for `EnumType`.

    Raises:
        ValueError: As for `EnumType`.
    """

    option_texts: frozenset[str]

    def __init__(self, options: Iterable[JsonPrimitive]) -> None:
        object.__setattr__(self, "option_texts", _option_texts(options))

    def __str__(self) -> str:
        return f"Flags[{','.join(sorted(self.option_texts))}]"

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value is a list of distinct options."""
        return self.problem(value) is None

    def problem(self, value: Any) -> str | None:
        """Return why a JSON value is not of this type, or ``None`` if it is."""
        if not isinstance(value, list | tuple):
            return f"{reprlib.repr(value)} is not a list"
        for index, item in enumerate(value):
            if not _is_option(item, self.option_texts):
                return f"at [{index}]: {reprlib.repr(item)} is not one of the options of {shorten(self)}"
        if len({_option_text(item) for item in value}) != len(value):
            return f"{reprlib.repr(value)} contains duplicates"
        return None


@dataclass(frozen=True, slots=True)
class SequenceType:
    """``Sequence<T>``: a list of items of one type."""

    item: "WireType"

    def __str__(self) -> str:
        return f"Sequence<{self.item}>"

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value is a list of items of that type."""
        return isinstance(value, list | tuple) and all(map(self.item.accepts, value))

    def problem(self, value: Any) -> str | None:
        """Return where and why a JSON value is not of this type, or ``None`` if it is."""
        if not isinstance(value, list | tuple):
            return f"{reprlib.repr(value)} is not a list"
        for index, item in enumerate(value):
            if problem := self.item.problem(item):
                return _at(f"[{index}]", problem)
        return None


@dataclass(frozen=True, slots=True)
class MappingType:
    """``Mapping<T>``: an object with values of one type."""

    value: "WireType"

    def __str__(self) -> str:
        return f"Mapping<{self.value}>"

    def accepts(self, value: Any) -> bool:
        """Return whether a JSON value is an object with values of that type."""
        return isinstance(value, dict) and all(map(self.value.accepts, value.values()))

    def problem(self, value: Any) -> str | None:
        """Return where and why a JSON value is not of this type, or ``None`` if it is."""
        if not isinstance(value, dict):
            return f"{reprlib.repr(value)} is not an object"
        for key, item in value.items():
            if problem := self.value.problem(item):
                return _at(f"[{reprlib.repr(key)}]", problem)
        return None


@dataclass(frozen=True, slots=True)
class JsonType:
    """``Json``: any JSON value; also available as `JSON`."""

    def __str__(self) -> str:
        return "Json"

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - as for the other types
        """Return ``True``."""
        return True

    def problem(self, value: Any) -> str | None:  # noqa: ARG002 - as for the other types
        """Return ``None``: every JSON value is of this type."""
        return None


WireType: TypeAlias = PrimitiveType | EnumType | FlagsType | SequenceType | MappingType | JsonType

INT = PrimitiveType("int")
FLOAT = PrimitiveType("float")
STR = PrimitiveType("str")
BOOL = PrimitiveType("bool")
JSON = JsonType()


def is_subtype(lower: WireType, upper: WireType) -> bool:
    """Return whether one type is a strict subtype of another: every value of ``lower`` is a value of ``upper``.

    ``int`` is a subtype of ``float``. An Enum is a subtype of an Enum with more options, and Flags likewise. A Sequence
    is a subtype of a Sequence with a wider inner type, and a Mapping likewise. Every other type is a subtype of
    ``Json``. All other types are incomparable.
    """
    match lower, upper:
        case (_, JsonType()) | (PrimitiveType("int"), PrimitiveType("float")):
            return lower != upper
        case EnumType(), EnumType():
            return lower.option_texts < upper.option_texts
        case FlagsType(), FlagsType():
            return lower.option_texts < upper.option_texts
        case SequenceType(), SequenceType():
            return is_subtype(lower.item, upper.item)
        case MappingType(), MappingType():
            return is_subtype(lower.value, upper.value)
    return False


def _option_texts(options: Iterable[JsonPrimitive]) -> frozenset[str]:
    texts = frozenset(map(_option_text, options))
    if not texts:
        raise ValueError("an Enum or Flags type needs at least one option")
    return texts


def _option_text(option: Any) -> str:
    if not isinstance(option, str | int | float | None):
        raise ValueError(f"{reprlib.repr(option)} is not a JSON primitive")  # noqa: TRY004  # ValueError as for the others
    if isinstance(option, float):
        if not isfinite(option):
            raise ValueError(f"{option} is not a JSON number")
        if option.is_integer() and _MIN_INTEGER <= option <= _MAX_INTEGER:
            option = int(option)
    elif isinstance(option, int) and not _MIN_INTEGER <= option <= _MAX_INTEGER:
        raise ValueError("an integer is beyond 64 bits")
    elif isinstance(option, str) and any("\ud800" <= character <= "\udfff" for character in option):
        raise ValueError("a string has a lone surrogate")
    return json.dumps(option, ensure_ascii=False)


def _is_option(value: Any, option_texts: frozenset[str]) -> bool:
    try:
        return _option_text(value) in option_texts
    except ValueError:
        return False


def _at(step: str, problem: str) -> str:
    """Prepend a step to the path at the start of an inner value's problem."""
    return f"at {step}{problem.removeprefix('at ')}" if problem.startswith("at [") else f"at {step}: {problem}"


@lru_cache(maxsize=64)
def shorten(wire_type: WireType) -> str:
    """Return a type as messages quote it: at most 200 characters, because a type may have thousands of options."""
    text = str(wire_type)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}... ({len(text)} characters)"
