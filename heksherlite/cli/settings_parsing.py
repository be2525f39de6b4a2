"""Parse YAML, JSON and TOML, and keep the place of each value for messages."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

if TYPE_CHECKING:
    from pathlib import Path


class Place(NamedTuple):
    """A place in a file.

    Attributes:
        file: The path of the file.
        line: The line, from 1; None if it is unknown.
        column: The column, from 1; None if it is unknown.
    """

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"


class FileFault(NamedTuple):
    """Something wrong in a file.

    Attributes:
        place: Where.
        message: What, and what would be right.
    """

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"

    def as_annotation(self) -> str:
        """Return the fault in the form in which code hosts show it beside the line in a review."""
        place = self.place
        where = "" if place.line is None else f",line={place.line},col={place.column}"
        file = _escaped(place.file).replace(":", "%3A").replace(",", "%2C")
        return f"::error file={file}{where}::{_escaped(self.message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


class Node(NamedTuple):
    """A value with the place where it is. The content of an object has keys and nodes, that of a list has nodes."""

    place: Place
    content: Any


def plain_content(node: Node) -> Any:
    """Return the JSON of a node."""
    match node.content:
        case dict():
            return {name: plain_content(each) for name, each in node.content.items()}
        case list():
            return [plain_content(each) for each in node.content]
    return node.content


def parsed(path: Path, faults: list[FileFault]) -> Node | None:
    """Return the content of a file, or add faults and return None."""
    file = str(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(FileFault(Place(file), f"cannot be read: {getattr(error, 'strerror', None) or error}"))
        return None
    parse = PARSERS.get(path.suffix)
    if parse is None:
        faults.append(FileFault(Place(file), "the name of the file must end with .yaml, .yml, .json or .toml"))
        return None
    return parse(file, text, faults)


def _parse_yaml(file: str, text: str, faults: list[FileFault]) -> Node | None:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)
        faults.append(FileFault(place, f"malformed YAML: {error.problem or error}"))
        return None
    except yaml.YAMLError as error:
        faults.append(FileFault(Place(file), f"malformed YAML: {error}"))
        return None
    if root is None:
        faults.append(FileFault(Place(file, 1, 1), "the file is empty; it needs owner and settings"))
        return None
    return _node(file, root, faults, ())


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Parses YAML without looking for the types of scalars, which are those of YAML 1.1."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        del kind, value, implicit
        return "tag:yaml.org,2002:str"


def _node(file: str, node: yaml.Node, faults: list[FileFault], above: tuple[yaml.Node, ...]) -> Node:
    mark = node.start_mark
    place = Place(file, mark.line + 1, mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        return Node(place, node.value if node.style in _QUOTED else plain_scalar(node.value))
    if node in above:
        faults.append(FileFault(place, "the value contains itself"))
        return Node(place, None)
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        return Node(place, [_node(file, each, faults, above) for each in node.value])
    content: dict[str, Node] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value not in content:
            inner = _node(file, value, faults, above)
            if not isinstance(value, yaml.ScalarNode):  # what is wrong with it is best seen at its key
                inner = Node(Place(file, key.start_mark.line + 1, key.start_mark.column + 1), inner.content)
            content[key.value] = inner
            continue
        at = Place(file, key.start_mark.line + 1, key.start_mark.column + 1)
        is_text = isinstance(key, yaml.ScalarNode)
        faults.append(FileFault(at, f"the key {key.value!r} is there twice" if is_text else "a key must be a text"))
    return Node(place, content)


_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER_RANGE: Final = range(-(2**63), 2**64)
_QUOTED: Final = frozenset({"'", '"', "|", ">"})
_CONSTANTS: Final = {"null": None, "~": None, "": None, "true": True, "false": False}


def plain_scalar(text: str) -> Any:
    """Return the JSON of a text without quotes by the core schema of YAML 1.2: ``on`` and ``2030-01-31`` are texts.

    In contrast to it, ``007`` is a text: as a number, it would lose its zeros.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = float(text) if _FLOAT.fullmatch(text) else inf
    if not isfinite(number):
        return text
    return json_number(int(text)) if _INTEGER.fullmatch(text) else number


def json_number(number: int) -> int | float:
    """Return an integer as JSON parsers read it: those of more than 64 bits are floating-point numbers."""
    if number in _INTEGER_RANGE:
        return number
    try:
        return float(number)
    except OverflowError:
        return inf


def _parse_json(file: str, text: str, faults: list[FileFault]) -> Node | None:
    import json

    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        faults.append(FileFault(Place(file, error.lineno, error.colno), f"malformed JSON: {error.msg}"))
        return None
    return _parse_yaml(file, _IN_JSON.sub(_as_in_yaml, text.replace("\t", " ")), faults)


_IN_JSON: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\.|[\x7f-\x9f\u2028\u2029\ufeff]"
)
"""What YAML reads in another way: characters in two parts, escapes, and characters that end a line or are forbidden."""


def _as_in_yaml(found: re.Match[str]) -> str:
    text = found[0]
    if text[0] != "\\":
        return f"\\u{ord(text):04x}"
    if len(text) > 2:
        return chr(0x10000 + ((int(text[2:6], 16) - 0xD800) << 10) + int(text[8:], 16) - 0xDC00)
    return "/" if text == "\\/" else text


def _parse_toml(file: str, text: str, faults: list[FileFault]) -> Node | None:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(FileFault(Place(file), f"malformed TOML: {error}"))
        return None
    return _without_places(Place(file), parsed, faults)


def _without_places(place: Place, value: Any, faults: list[FileFault]) -> Node:
    if isinstance(value, int) and not isinstance(value, bool):
        value = json_number(value)
    match value:
        case dict():
            return Node(place, {name: _without_places(place, each, faults) for name, each in value.items()})
        case list():
            return Node(place, [_without_places(place, each, faults) for each in value])
        case datetime() | date() | time():
            return Node(place, value.isoformat())
        case float() if not isfinite(value):
            faults.append(FileFault(place, f"{value} is not a number in JSON"))
    return Node(place, value)


PARSERS: Final = {".yaml": _parse_yaml, ".yml": _parse_yaml, ".json": _parse_json, ".toml": _parse_toml}
