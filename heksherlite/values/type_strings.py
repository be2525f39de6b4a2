"""Parse wire types, such as ``Mapping<Enum["dark","bright"]>``."""

import json
import re
import reprlib
from collections.abc import Callable
from typing import Final, NoReturn, cast

from heksherlite.errors import TypeStringError
from heksherlite.values.wire_types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    STR,
    EnumType,
    FlagsType,
    JsonPrimitive,
    MappingType,
    SequenceType,
    WireType,
)

MAX_NESTING: Final = 64
"""The maximum number of nested ``Sequence`` and ``Mapping`` types in a parsed type."""


def parse_type(text: str) -> WireType:
    """Parse a wire type.

    Args:
        text: The type. Whitespace is allowed between its parts, but not around it.

    Raises:
        TypeStringError: If the text is not a type, or nests more than :data:`MAX_NESTING` levels. The message contains
            the position and what was expected there.
    """
    return _Parser(text).whole_type()


class _Parser:
    """A cursor over the text of a type."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def whole_type(self) -> WireType:
        # A loop instead of recursion, because the sender controls the nesting depth.
        containers: list[Callable[[WireType], WireType]] = []
        while (name := self.name()) in _CONTAINERS:
            if len(containers) == MAX_NESTING:
                self.fail(f"at most {MAX_NESTING} nested types")
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
            self.fail("int, float, str, bool, Json, Enum[...], Flags[...], Sequence<...> or Mapping<...>")
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
            self.fail(f"options that every JSON parser preserves ({error})")

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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
_NAME = re.compile(r"[A-Za-z]*")
_WHITESPACE = frozenset(" \t\r\n")
_PRIMITIVES: dict[str, WireType] = {str(type_): type_ for type_ in (INT, FLOAT, STR, BOOL, JSON)}
_OPTION_TYPES: dict[str, Callable[[list[JsonPrimitive]], WireType]] = {"Enum": EnumType, "Flags": FlagsType}
_CONTAINERS: dict[str, Callable[[WireType], WireType]] = {"Sequence": SequenceType, "Mapping": MappingType}
_NAMES = {*_PRIMITIVES, *_OPTION_TYPES, *_CONTAINERS}
