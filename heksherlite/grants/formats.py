"""Parsers for YAML, TOML and JSON whose errors name the place. No I/O."""

import json
import re
import tomllib
from typing import Any, Final, TypeAlias

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.parse_error import ParseError

KeyLines: TypeAlias = dict[tuple[str, ...], int]
"""The line numbers, from 1, of the keys of a text."""

_SPACE_AND_COMMAS: Final = re.compile(r"[\s,:]*")

_TOML_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text, ``{}`` if it is empty. Only the safe subset of YAML is supported.

    Raises:
        ParseError: If it is not YAML, or has something that facts cannot have.
        GrantError: If PyYAML is not installed.
    """
    try:
        from heksherlite.grants.safe_yaml import parse_safe_yaml  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise GrantError("YAML needs PyYAML, which is not installed: pip install 'heksherlite[yaml]'") from None
    return parse_safe_yaml(text)


def parse_toml(text: str) -> Any:
    """Return the value of a TOML text.

    Raises:
        ParseError: If it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_POSITION.search(str(error))
        if place is None:
            raise ParseError(str(error)) from None
        reason = str(error)[: place.start()]
        if place[1] is None:
            end = text.rstrip("\n")
            raise ParseError(reason, end.count("\n") + 1, len(end) - end.rfind("\n")) from None
        raise ParseError(reason, int(place[1]), int(place[2])) from None
    except ValueError as error:  # such as a number with too many digits
        raise ParseError(f"invalid value: {type(error).__name__}") from None


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ParseError: If it is not JSON, or an object has a duplicate key.
    """
    try:
        return json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise ParseError(error.msg, error.lineno, error.colno) from None
    except ValueError as error:  # a number with too many digits
        raise ParseError(str(error)) from None


def yaml_lines(text: str) -> KeyLines:
    """Return the line of each key of a YAML text that was parsed without an error."""
    from heksherlite.grants.safe_yaml import key_lines  # noqa: PLC0415 - needs an extra

    return key_lines(text)


def toml_lines(text: str) -> KeyLines:
    """Return the line of each key of a TOML text that was parsed without an error.

    A statement is complete as soon as its lines are TOML by themselves.
    """
    lines: KeyLines = {}
    table: tuple[str, ...] = ()
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            parsed = tomllib.loads(statement)
        except ValueError:
            continue
        is_header = statement.lstrip().startswith("[")
        keys: tuple[str, ...] = () if is_header else table
        while isinstance(parsed, dict) and parsed:
            key = next(iter(parsed))
            keys = (*keys, key)
            lines.setdefault(keys, start)
            parsed = parsed[key]
        if is_header:
            table = keys
        statement, start = "", number + 1
    return lines


def json_lines(text: str) -> KeyLines:
    """Return the line of each key of a JSON text that was parsed without an error."""
    decoder = json.JSONDecoder()
    lines: KeyLines = {}
    number, counted = 1, 0

    def read_object(position: int, keys: tuple[str, ...]) -> int:
        """Add the keys of the object whose brace is before a position, and return the position after it."""
        nonlocal number, counted
        while True:
            position = _SPACE_AND_COMMAS.match(text, position).end()  # type: ignore[union-attr]  # it matches anything
            if text[position] == "}":
                return position + 1
            number, counted = number + text.count("\n", counted, position), position
            key, position = decoder.raw_decode(text, position)
            lines[*keys, key] = number
            position = _SPACE_AND_COMMAS.match(text, position).end()  # type: ignore[union-attr]
            if text[position] == "{":
                position = read_object(position + 1, (*keys, key))
            else:
                _, position = decoder.raw_decode(text, position)

    read_object(text.index("{") + 1, ())
    return lines


def _unique_keys(pairs: list[tuple[str, Any]]) -> Facts:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        keys = [key for key, _ in pairs]
        duplicate = next(key for key in keys if keys.count(key) > 1)
        raise ParseError(f"duplicate key {duplicate!r} in an object")
    return facts


def _reject_constant(name: str) -> Any:
    raise ParseError(f"{name} is not JSON")
