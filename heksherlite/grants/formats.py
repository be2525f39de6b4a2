"""Parsers for YAML, TOML and JSON whose errors name the place. No I/O."""

import json
import re
import tomllib
from typing import Any, Final

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.parse_error import ParseError

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


def _unique_keys(pairs: list[tuple[str, Any]]) -> Facts:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        keys = [key for key, _ in pairs]
        duplicate = next(key for key in keys if keys.count(key) > 1)
        raise ParseError(f"duplicate key {duplicate!r} in an object")
    return facts


def _reject_constant(name: str) -> Any:
    raise ParseError(f"{name} is not JSON")
