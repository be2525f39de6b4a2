"""Checks of many JSON values at once. Each is a pass or two in C, without a look at each value in Python."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

_BOOL: Final = frozenset({bool})
_FLOAT: Final = frozenset({float})


def are_integers(xs: Sequence[Any]) -> bool:
    """Return whether all values are integers, and none is a boolean."""
    try:
        # The JSON of integers consists of digits. All other values need another character, lists one more bracket.
        return orjson.dumps(xs).translate(None, b"-,0123456789") == b"[]"
    except orjson.JSONEncodeError:  # more than 64 bits
        return False


def are_strings(xs: Sequence[Any]) -> bool:
    """Return whether all values are strings."""
    try:
        "".join(xs)  # takes nothing else
    except TypeError:
        return False
    return True


def _are_booleans(xs: Sequence[Any]) -> bool:
    return _BOOL.issuperset(map(type, xs))


def _are_floats(xs: Sequence[Any]) -> bool:
    return _FLOAT.issuperset(map(type, xs))


CHECKS: Final[Mapping[Any, Callable[[Sequence[Any]], bool]]] = {
    int: are_integers,
    float: _are_floats,
    str: are_strings,
    bool: _are_booleans,
}
"""The check for each primitive Python type."""
