"""The type language of the wire: parse, print, check values, compare.

A type is one of ``int``, ``float``, ``str``, ``bool``, ``Enum[...]``, ``Flags[...]``, ``Sequence<...>`` and
``Mapping<...>``; its values are JSON. The types here are immutable, hashable and know nothing of Python
classes, HTTP or storage, so both the SDK and the service speak through them::

    parse('Mapping<Enum["dark", "bright"]>').accepts({"theme": "dark"})    # True
    str(EnumType(["maybe", True, False]))                                # Enum["maybe",false,true]

Options behave like JSON and not like Python: ``1`` equals ``1.0``, and ``1`` differs from ``true``. They are
therefore kept as their canonical JSON texts, which compare just so.
"""

import json
import re
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, NoReturn, TypeAlias, cast

from heksherlite.errors import TypeStringError

JsonPrimitive: TypeAlias = str | int | float | bool | None
PrimitiveName = Literal["int", "float", "str", "bool"]

MAX_NESTING = 64
"""How many ``Sequence`` and ``Mapping`` may be inside each other in a parsed type."""

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1  # what JSON readers other than Python's keep exactly


@dataclass(frozen=True, slots=True)
class PrimitiveType:
    """``int``, ``float``, ``str`` or ``bool``; also available as `INT`, `FLOAT`, `STR` and `BOOL`.

    A whole-number float (``5.0``) is an ``int``, every number is a ``float``, and a boolean is neither.
    """

    name: PrimitiveName

    def __str__(self) -> str:
        return self.name

    def accepts(self, value: Any) -> bool:
        """Tell whether a JSON value is of this type."""
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
        """Say why a JSON value is not of this type, or return None if it is."""
        return None if self.accepts(value) else f"{reprlib.repr(value)} is not of type {self}"


@dataclass(frozen=True, slots=True, init=False)
class EnumType:
    """``Enum[o1,o2,...]``: one of the options.

    Args:
        options: JSON primitives, at least one, of mixed type if wished; equal ones count once.

    Raises:
        ValueError: There is no option, or one is not a JSON primitive that every JSON reader keeps exactly
            (an infinite number, an integer beyond 64 bits, a string with lone surrogates).
    """

    option_texts: frozenset[str]

    def __init__(self, options: Iterable[JsonPrimitive]) -> None:
        object.__setattr__(self, "option_texts", _option_texts(options))

    def __str__(self) -> str:
        return f"Enum[{','.join(sorted(self.option_texts))}]"

    def accepts(self, value: Any) -> bool:
        """Tell whether a JSON value is one of the options."""
        return _is_option(value, self.option_texts)

    def problem(self, value: Any) -> str | None:
        """Say why a JSON value is not of this type, or return None if it is."""
        return None if self.accepts(value) else f"{reprlib.repr(value)} is not one of the options of {self}"


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
        """Tell whether a JSON value is a list of distinct options."""
        return self.problem(value) is None

    def problem(self, value: Any) -> str | None:
        """Say why a JSON value is not of this type, or return None if it is."""
        if not isinstance(value, list | tuple):
            return f"{reprlib.repr(value)} is not a list"
        for index, item in enumerate(value):
            if not _is_option(item, self.option_texts):
                return f"at [{index}]: {reprlib.repr(item)} is not one of the options of {self}"
        if len({_option_text(item) for item in value}) != len(value):
            return f"{reprlib.repr(value)} has duplicates"
        return None


@dataclass(frozen=True, slots=True)
class SequenceType:
    """``Sequence<T>``: a list whose items are of one type."""

    item: "WireType"

    def __str__(self) -> str:
        return f"Sequence<{self.item}>"

    def accepts(self, value: Any) -> bool:
        """Tell whether a JSON value is a list of such items."""
        return isinstance(value, list | tuple) and all(map(self.item.accepts, value))

    def problem(self, value: Any) -> str | None:
        """Say where and why a JSON value is not of this type, or return None if it is."""
        if not isinstance(value, list | tuple):
            return f"{reprlib.repr(value)} is not a list"
        for index, item in enumerate(value):
            if problem := self.item.problem(item):
                return _at(f"[{index}]", problem)
        return None


@dataclass(frozen=True, slots=True)
class MappingType:
    """``Mapping<T>``: an object whose values are of one type."""

    value: "WireType"

    def __str__(self) -> str:
        return f"Mapping<{self.value}>"

    def accepts(self, value: Any) -> bool:
        """Tell whether a JSON value is an object of such values."""
        return isinstance(value, dict) and all(map(self.value.accepts, value.values()))

    def problem(self, value: Any) -> str | None:
        """Say where and why a JSON value is not of this type, or return None if it is."""
        if not isinstance(value, dict):
            return f"{reprlib.repr(value)} is not an object"
        for key, item in value.items():
            if problem := self.value.problem(item):
                return _at(f"[{reprlib.repr(key)}]", problem)
        return None


WireType: TypeAlias = PrimitiveType | EnumType | FlagsType | SequenceType | MappingType

INT = PrimitiveType("int")
FLOAT = PrimitiveType("float")
STR = PrimitiveType("str")
BOOL = PrimitiveType("bool")


def is_subtype(lower: WireType, upper: WireType) -> bool:
    """Tell whether every value of one type is a value of another, different one.

    ``int`` is below ``float``, an Enum or Flags below one of its own kind with more options, a Sequence or
    Mapping below one of its own kind with a higher inner type. Anything else is incomparable.
    """
    match lower, upper:
        case PrimitiveType("int"), PrimitiveType("float"):
            return True
        case EnumType(), EnumType():
            return lower.option_texts < upper.option_texts
        case FlagsType(), FlagsType():
            return lower.option_texts < upper.option_texts
        case SequenceType(), SequenceType():
            return is_subtype(lower.item, upper.item)
        case MappingType(), MappingType():
            return is_subtype(lower.value, upper.value)
    return False


def parse(text: str) -> WireType:
    """Read a type from its text.

    Whitespace between its parts is accepted, around it is not.

    Raises:
        TypeStringError: The text is not a type, or nests more than `MAX_NESTING` deep. The message holds the
            position and what was expected there.
    """
    return _Parser(text).whole_type()


class _Parser:
    """A cursor over the text of a type."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def whole_type(self) -> WireType:
        # A loop instead of recursion, because the sender chooses how deep the type nests.
        containers: list[Callable[[WireType], WireType]] = []
        while (name := self.name()) in _CONTAINERS:
            if len(containers) == MAX_NESTING:
                self.fail(f"at most {MAX_NESTING} types inside each other")
            containers.append(_CONTAINERS[name])
            self.token("<")
            self.skip_whitespace()
        result = self.leaf(name)
        for container in reversed(containers):
            self.token(">")
            result = container(result)
        if self.position != len(self.text):
            self.fail("the end of the type")
        return result

    def name(self) -> str:
        match = _NAME.match(self.text, self.position)
        if match is None or match[0] not in _NAMES:
            self.fail("int, float, str, bool, Enum[...], Flags[...], Sequence<...> or Mapping<...>")
        self.position = match.end()
        return match[0]

    def leaf(self, name: str) -> WireType:
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        start = self.position
        try:
            return _OPTION_TYPES[name](self.options())
        except TypeStringError:
            raise
        except ValueError as error:
            self.position = start
            self.fail(f"options that every JSON reader keeps exactly ({error})")

    def options(self) -> list[JsonPrimitive]:
        self.token("[")
        options = [self.option()]
        while self.next_token() == ",":
            self.token(",")
            options.append(self.option())
        self.token("]")
        return options

    def option(self) -> JsonPrimitive:
        self.skip_whitespace()
        if self.text[self.position : self.position + 1] in ("", "[", "{"):
            self.fail("a JSON string, number, boolean or null")
        try:
            option, self.position = _JSON.raw_decode(self.text, self.position)
        except json.JSONDecodeError:
            self.fail("a JSON string, number, boolean or null")
        return cast("JsonPrimitive", option)

    def next_token(self) -> str:
        self.skip_whitespace()
        return self.text[self.position : self.position + 1]

    def token(self, token: str) -> None:
        if self.next_token() != token:
            self.fail(f"{token!r}")
        self.position += 1

    def skip_whitespace(self) -> None:
        while self.text[self.position : self.position + 1] in _WHITESPACE:
            self.position += 1

    def fail(self, expected: str) -> NoReturn:
        shown = reprlib.repr(self.text)
        raise TypeStringError(f"invalid type {shown}: at position {self.position}, expected {expected}")


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
    """Put one more step in front of the path that a problem of an inner value begins with, if any."""
    return f"at {step}{problem.removeprefix('at ')}" if problem.startswith("at [") else f"at {step}: {problem}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
_NAME = re.compile(r"[A-Za-z]*")
_WHITESPACE = frozenset(" \t\r\n")
_PRIMITIVES = {primitive.name: primitive for primitive in (INT, FLOAT, STR, BOOL)}
_OPTION_TYPES: dict[str, Callable[[list[JsonPrimitive]], WireType]] = {"Enum": EnumType, "Flags": FlagsType}
_CONTAINERS: dict[str, Callable[[WireType], WireType]] = {"Sequence": SequenceType, "Mapping": MappingType}
_NAMES = {*_PRIMITIVES, *_OPTION_TYPES, *_CONTAINERS}
