"""What texts in YAML, TOML and JSON say, and where they are wrong. No I/O."""

import json
import re
import tomllib
from typing import Any, Final

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.malformed import Malformed

_TOML_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says, by the safe subset; nothing is ``{}``.

    Raises:
        Malformed: If it is not YAML, or has something that no facts have.
        GrantError: If PyYAML is not installed.
    """
    try:
        from heksherlite.grants.safe_yaml import safe_yaml  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise GrantError("YAML needs PyYAML, which is not installed: pip install 'heksherlite[yaml]'") from None
    return safe_yaml(text)


def parse_toml(text: str) -> Any:
    """Return what a TOML text says.

    Raises:
        Malformed: If it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        if place is None:
            raise Malformed(str(error)) from None
        reason = str(error)[: place.start()]
        if place[1] is None:
            end = text.rstrip("\n")
            raise Malformed(reason, end.count("\n") + 1, len(end) - end.rfind("\n")) from None
        raise Malformed(reason, int(place[1]), int(place[2])) from None
    except ValueError as error:  # such as a number with too many digits
        raise Malformed(f"a value is not possible: {type(error).__name__}") from None


def parse_json(text: str) -> Any:
    """Return what a JSON text says.

    Raises:
        Malformed: If it is not JSON, or an object has a key twice.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno, error.colno) from None
    except ValueError as error:  # a number with too many digits
        raise Malformed(str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> Facts:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise Malformed(f"an object has the key {double!r} twice")
    return facts


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not JSON")
