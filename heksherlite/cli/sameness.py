"""When two values are the same, and digests of them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from datetime import datetime


def digest_of(value: Any, starts_at: datetime | None, ends_at: datetime | None) -> str:
    """Return a digest of what a rule serves. Equal numbers have equal digests: 1 and 1.0."""
    content = [_canonical(value), starts_at and starts_at.isoformat(), ends_at and ends_at.isoformat()]
    return _digest(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=4096)
def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def same_value(one: Any, other: Any) -> bool:
    """Return whether two values are the same as JSON: 1 and 1.0 are."""
    if type(one) is type(other) and isinstance(one, _EXACT):
        return bool(one == other)
    return bool(orjson.dumps(_canonical(one), option=_SORTED) == orjson.dumps(_canonical(other), option=_SORTED))


_SORTED: Final = orjson.OPT_SORT_KEYS
_LARGEST_INTEGER: Final = 2**63
_EXACT: Final = (str, int)


def _canonical(value: Any) -> Any:
    if isinstance(value, _EXACT):
        return value
    match value:
        case float() if value.is_integer() and abs(value) < _LARGEST_INTEGER:
            return int(value)
        case dict():
            return {name: _canonical(each) for name, each in value.items()}
        case list() | tuple():
            return [_canonical(each) for each in value]
    return value
