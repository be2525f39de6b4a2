"""Conversion of single values and texts of facts to Python types. No I/O."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from heksherlite.grants.facts import describe_type
from heksherlite.secret import Secret

LIST_NOTATION: Final = 'in a text, a list is written as a,b,c or as JSON: ["a", "b", "c"]'
MAPPING_NOTATION: Final = 'in a text, a mapping is written as JSON: {"key": "value"}'

_TRUE_AND_FALSE: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


class UnfitError(ValueError):
    """A value does not fit its type. The message does not quote the value, which may be secret."""


def unfit(expected: str, value: object) -> UnfitError:
    """Return the error for a value that is not what was expected."""
    return UnfitError(f"expected {expected}, not {describe_type(value)}")


def as_list(value: object) -> list[Any]:
    """Return the items of a list.

    Environment variables have only texts. Therefore a text is parsed as JSON if it begins with ``[``, and split at
    commas otherwise; and a group whose keys are 0, 1, 2 and so on is a list.

    Raises:
        UnfitError: If the value is not a list in one of these forms.
    """
    if isinstance(value, str):
        return _parse_list(value)
    if isinstance(value, Mapping):
        keys = [str(number) for number in range(len(value))]
        if value and set(value) == set(keys):
            return [value[key] for key in keys]
        raise unfit("a list", value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    raise unfit("a list", value)


def as_mapping(value: object) -> dict[str, Any]:
    """Return a mapping. A text is parsed as a JSON object.

    Raises:
        UnfitError: If the value is neither.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict):
            return parsed
        raise UnfitError(f"expected a mapping, not {describe_type(value)}; {MAPPING_NOTATION}")
    raise unfit("a mapping", value)


def _parse_list(text: str) -> list[Any]:
    if not text.strip():
        return []
    if text.lstrip().startswith(("[", "{")):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            return parsed
        raise UnfitError(f"expected a list; {LIST_NOTATION}")
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise UnfitError(f"expected a list without empty items; {LIST_NOTATION}")
    return items


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return int(value)
    except ValueError:
        pass
    raise unfit("an integer", value)


def _float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        if isinstance(value, str):
            return float(value)
    except ValueError:
        pass
    raise unfit("a number", value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE_AND_FALSE:
        return _TRUE_AND_FALSE[value.lower()]
    raise unfit("true or false", value)


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise unfit("a string", value)


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(_str(value)))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            pass
    raise unfit("a number", value)


def _timedelta(value: Any) -> timedelta:
    """Return a duration: a number of seconds, or ISO 8601 such as ``PT1H30M``."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return timedelta(seconds=value)
        if isinstance(value, str):
            found = _DURATION.fullmatch(value.strip().upper())
            if found is not None and any(found.groups()):
                return timedelta(**{unit: float(number) for unit, number in found.groupdict().items() if number})
            return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        pass
    raise unfit("a number of seconds, or a duration such as PT1H30M", value)


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
    except ValueError:
        pass
    raise unfit("a date and time such as 2026-01-31T12:00:00Z", value)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return date.fromisoformat(value.strip())
    except ValueError:
        pass
    raise unfit("a date such as 2026-01-31", value)


def _time(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        if isinstance(value, str):
            return time.fromisoformat(value.strip())
    except ValueError:
        pass
    raise unfit("a time such as 12:00:00", value)


def _parsed_by(type_: type, expected: str) -> Callable[[Any], Any]:
    """Return a conversion by the constructor of a class, which takes a text."""

    def convert(value: Any) -> Any:
        if isinstance(value, type_):
            return value
        try:
            if isinstance(value, str):
                return type_(value.strip())
        except ValueError:
            pass
        raise unfit(expected, value)

    return convert


CONVERSIONS: Final[Mapping[type, Callable[[Any], Any]]] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _str,
    Decimal: _decimal,
    timedelta: _timedelta,
    datetime: _datetime,
    date: _date,
    time: _time,
    UUID: _parsed_by(UUID, "a UUID"),
    Secret: _secret,
    Path: _parsed_by(Path, "a path"),
    IPv4Address: _parsed_by(IPv4Address, "an IPv4 address"),
    IPv4Interface: _parsed_by(IPv4Interface, "an IPv4 interface such as 192.0.2.1/24"),
    IPv4Network: _parsed_by(IPv4Network, "an IPv4 network such as 192.0.2.0/24"),
    IPv6Address: _parsed_by(IPv6Address, "an IPv6 address"),
    IPv6Interface: _parsed_by(IPv6Interface, "an IPv6 interface such as 2001:db8::1/64"),
    IPv6Network: _parsed_by(IPv6Network, "an IPv6 network such as 2001:db8::/64"),
}
"""The functions that convert a value to a type, or raise `UnfitError`."""


def as_choice(value: Any, choices: Mapping[Any, Any]) -> Any:
    """Return one of several choices by its value, or by the text of it.

    Args:
        value: The value.
        choices: The choices by their values.

    Raises:
        UnfitError: If it is none of them. The message lists them.
    """
    for known, choice in choices.items():
        if type(known) is type(value) and known == value:
            return choice
    for known, choice in choices.items():
        if isinstance(value, str) and not isinstance(known, bool) and str(known) == value:
            return choice
    raise unfit(f"one of {', '.join(map(repr, choices))}", value)


def as_member(value: Any, enum: type[Enum]) -> Enum:
    """Return the member of an enumeration by its value, or by the text of it.

    Raises:
        UnfitError: If there is no such member. The message lists the values.
    """
    if isinstance(value, enum):
        return value
    member: Enum = as_choice(value, {member.value: member for member in enum})
    return member
