"""How the pages show values, times and authors."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from heksherlite.service.domain.authors import Author

_SHORT: Final = 90
_LONGEST_TOOLTIP: Final = 300
_MINUTE: Final = 60
_HOUR: Final = 3_600
_LONGEST_AGO: Final = 48 * _HOUR

_AUTHORS: Final = {
    "anonymous": "somebody",
    "command_line": "the command line",
    "schedule": "the schedule",
    "service": "the service",
}


class Words(str):
    """A text that is shown as it is, and not as JSON."""

    __slots__ = ()


def value(shown: Any) -> str:
    """Return a value as JSON on one line."""
    return shown if isinstance(shown, Words) else orjson.dumps(shown).decode()


def short(shown: Any) -> str:
    """Return a value as JSON on one line, shortened if it is long."""
    text = value(shown)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def is_cut(shown: Any) -> bool:
    """Return whether `short` leaves out a part of a value."""
    return len(value(shown)) > _SHORT


def tooltip(shown: Any) -> str:
    """Return a value as JSON on one line, cut where it is too long for a tooltip, so that pages stay small."""
    text = value(shown)
    return text if len(text) <= _LONGEST_TOOLTIP else f"{text[: _LONGEST_TOOLTIP - 1]}…"


def pretty(shown: Any) -> str:
    """Return a value as JSON on several lines."""
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


def moment(time: datetime) -> str:
    """Return a time for people, in UTC, as the foot of each page says."""
    return f"{time:%Y-%m-%d %H:%M}"


def ago(time: datetime, now: datetime | None = None) -> str:
    """Return how long ago a time of the last two days was, such as ``3 hours ago``, or nothing.

    Args:
        time: The time.
        now: The present time; None for that of the clock.
    """
    seconds = ((now or datetime.now(UTC)) - time).total_seconds()
    if not 0 <= seconds < _LONGEST_AGO:
        return ""
    if seconds < _MINUTE:
        return "just now"
    return (
        f"{count(int(seconds // _MINUTE), 'minute') if seconds < _HOUR else count(int(seconds // _HOUR), 'hour')} ago"
    )


def iso(time: datetime) -> str:
    """Return a time for programs, in UTC."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def author(by: Author) -> str:
    """Return the name of an author, or what stands for it."""
    named = _AUTHORS.get(by.kind, by.kind)
    return f"{named} ({by.name})" if by.name and by.kind in _AUTHORS else by.name or named


def sentence(text: str) -> str:
    """Return a text that starts with a capital letter."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``3 rules``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def open_features(explanation: Mapping[str, Any]) -> str:
    """Return the context features that the possible values of an explanation depend on, in words."""
    found: dict[str, None] = {}
    for region in explanation["regions"]:
        for conditions in (region["where"], *region["except"]):
            found |= dict.fromkeys(conditions)
    *others, last = found
    return f"{', '.join(others)} and {last}" if others else last


def items_of(conditions: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return conditions by context feature."""
    return dict(conditions)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "value": value,
    "short": short,
    "pretty": pretty,
    "tooltip": tooltip,
    "is_cut": is_cut,
    "moment": moment,
    "iso": iso,
    "author": author,
    "sentence": sentence,
    "count": count,
    "items_of": items_of,
    "ago": ago,
    "open_features": open_features,
}
