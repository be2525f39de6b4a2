"""Parse YAML, JSON and TOML, and keep the place of each value for messages."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

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


Field: TypeAlias = tuple[Node, Node]
"""The key and the value of a field. An item of a list is both."""


@dataclass(slots=True)
class Document:
    """A parsed file. Places are looked up only where something is wrong, because large files have millions of nodes.

    Attributes:
        file: The path of the file.
        root: Its content.
        is_regular: Whether all keys that were read are texts, and no object has one of them twice.
    """

    file: str
    root: Node
    is_regular: bool = True

    def place(self, field: Field) -> Place:
        """Return where a field is. What is wrong with an object or a list is best seen at its key."""
        key, value = field
        return _place(self.file, value if isinstance(value, ScalarNode) else key)

    def fields(self, node: Node) -> dict[str, Field]:
        """Return the fields of an object by name. Of those with the same name, it is the first one."""
        try:
            found: dict[str, Field] = {field[0].value: field for field in node.value}
        except TypeError:  # a key is a list
            found = {}
        if len(found) != len(node.value):
            self.is_regular = False
            texts = [field for field in node.value if isinstance(field[0], ScalarNode)]
            found = {field[0].value: field for field in reversed(texts)}
            found = {field[0].value: found[field[0].value] for field in texts}
        return found

    def content(self, node: Node) -> Any:
        """Return the JSON of a node."""
        if isinstance(node, ScalarNode):
            return scalar_content(node)
        if isinstance(node, SequenceNode):
            return [self.content(each) for each in node.value]
        return {name: self.content(value) for name, (_, value) in self.fields(node).items()}

    def key_faults(self) -> list[FileFault]:
        """Return a fault for each key of the file that is not a text, or that its object has already."""
        faults: list[FileFault] = []
        _check_keys(self.file, self.root, faults)
        return faults


def scalar_content(node: ScalarNode) -> Any:
    """Return the JSON of a scalar. Those with quotes, or in a block, have a style."""
    return node.value if node.style else plain_scalar(node.value)


def _place(file: str, node: Node) -> Place:
    mark = node.start_mark
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)


def _check_keys(file: str, node: Node, faults: list[FileFault]) -> None:
    if isinstance(node, SequenceNode):
        for each in node.value:
            _check_keys(file, each, faults)
    elif isinstance(node, MappingNode):
        seen = set()
        for key, value in node.value:
            is_text = isinstance(key, ScalarNode)
            if is_text and key.value not in seen:
                seen.add(key.value)
                _check_keys(file, value, faults)
                continue
            message = f"the key {key.value!r} is there twice" if is_text else "a key must be a text"
            faults.append(FileFault(_place(file, key), message))


def parsed(path: Path, faults: list[FileFault]) -> Document | None:
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
    root = parse(file, text, faults)
    return None if root is None else Document(file, root)


def _parse_yaml(file: str, text: str, faults: list[FileFault]) -> Node | None:
    try:
        root: Node | None = yaml.compose(text, Loader=_Loader)
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
    if "&" in text:
        _cut_cycles(file, root, faults, (), set())
    return root


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Parses YAML without looking for the types of scalars, which are those of YAML 1.1."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        del kind, value, implicit
        return _TEXT

    def descend_resolver(self, node: Any, index: Any) -> None:
        """Do nothing, as no types depend on paths."""

    def ascend_resolver(self) -> None:
        """Do nothing."""


def _cut_cycles(file: str, node: Node, faults: list[FileFault], above: tuple[Node, ...], done: set[int]) -> None:
    """Replace each value that contains itself by null where it does."""
    if isinstance(node, ScalarNode) or id(node) in done:
        return
    done.add(id(node))
    above = (*above, node)
    is_list = isinstance(node, SequenceNode)
    for index, each in enumerate(node.value):
        key, value = (each, each) if is_list else each
        if value in above:
            faults.append(FileFault(_place(file, value), "the value contains itself"))
            null = ScalarNode(_TEXT, "", key.start_mark)
            node.value[index] = null if is_list else (key, null)
        else:
            _cut_cycles(file, value, faults, above, done)


_TEXT: Final = "tag:yaml.org,2002:str"
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER_RANGE: Final = range(-(2**63), 2**64)
_CONSTANTS: Final = {"null": None, "~": None, "": None, "true": True, "false": False}


@lru_cache(maxsize=4096)
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
    return _without_places(file, parsed, faults)


def _without_places(file: str, value: Any, faults: list[FileFault]) -> Node:
    if isinstance(value, int) and not isinstance(value, bool):
        value = json_number(value)
    match value:
        case dict():
            fields = [(_scalar(name), _without_places(file, each, faults)) for name, each in value.items()]
            return MappingNode(_TEXT, fields)
        case list():
            return SequenceNode(_TEXT, [_without_places(file, each, faults) for each in value])
        case datetime() | date() | time():
            return _scalar(value.isoformat())
        case float() if not isfinite(value):
            faults.append(FileFault(Place(file), f"{value} is not a number in JSON"))
    return _scalar(value)


def _scalar(value: Any) -> ScalarNode:
    return ScalarNode(_TEXT, value, style='"')


PARSERS: Final = {".yaml": _parse_yaml, ".yml": _parse_yaml, ".json": _parse_json, ".toml": _parse_toml}
