"""The formats of texts in schemas. The service checks them, and the client converts them, by the same functions."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final
from uuid import UUID

DECIMAL_PATTERN: Final = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?$"
"""What a decimal number in a text looks like, as a JSON Schema ``pattern``."""

_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_OFFSET = r"(Z|[+-]\d\d:\d\d)"
_DATE: Final = re.compile(_DAY, re.ASCII)
_TIME: Final = re.compile(f"{_CLOCK}{_OFFSET}?", re.ASCII)
_DATE_TIME: Final = re.compile(f"{_DAY}[T ]{_CLOCK}{_OFFSET}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_date_time(text: str) -> datetime:
    """Return the time of ``2030-01-31T12:00:00Z``. It must have an offset.

    Raises:
        ValueError: If the text is not such a time.
    """
    return datetime.fromisoformat(_matching(_DATE_TIME, text, "a time with an offset, such as 2030-01-31T12:00:00Z"))


def read_date(text: str) -> date:
    """Return the date of ``2030-01-31``.

    Raises:
        ValueError: If the text is not such a date.
    """
    return date.fromisoformat(_matching(_DATE, text, "a date, such as 2030-01-31"))


def read_time(text: str) -> time:
    """Return the time of day of ``12:00:00``, which may have an offset.

    Raises:
        ValueError: If the text is not such a time.
    """
    return time.fromisoformat(_matching(_TIME, text, "a time of day, such as 12:00:00"))


def read_uuid(text: str) -> UUID:
    """Return the UUID of a text with hyphens.

    Raises:
        ValueError: If the text is not a UUID.
    """
    return UUID(_matching(_UUID, text, "a UUID"))


READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "date-time": read_date_time,
    "date": read_date,
    "time": read_time,
    "uuid": read_uuid,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "ipv4network": IPv4Network,
    "ipv6network": IPv6Network,
    "ipv4interface": IPv4Interface,
    "ipv6interface": IPv6Interface,
}
"""What reads the texts of each format. It raises :class:`ValueError` for all other texts."""


def is_of_format(name: str, text: object) -> bool:
    """Return whether a text is of a format of :data:`READERS`. What is not a text has no format."""
    if not isinstance(text, str):
        return True
    try:
        READERS[name](text)
    except ValueError:
        return False
    return True


def _matching(pattern: re.Pattern[str], text: str, expected: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(f"expected {expected}")
    return text
