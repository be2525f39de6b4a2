"""JSON values in memory, as `json.loads` returns them."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final, TypeAlias

import orjson

Json: TypeAlias = Any
Metadata: TypeAlias = Mapping[str, Json]


_LEVELS_AROUND: Final = 32
"""The number of levels by which responses may nest a stored value deeper than its request did."""


def require_encodable(value: Json) -> None:
    """Check that a value can be encoded in every response that contains it.

    Raises:
        ValueError: The value has more than about 200 levels, an integer beyond 64 bits, or a lone surrogate.
    """
    try:
        orjson.dumps(reduce(lambda inner, _: [inner], range(_LEVELS_AROUND), value))
    except TypeError as error:
        raise ValueError(f"this cannot be stored as JSON: {error}") from error


def same_json(one: Json, other: Json) -> bool:
    """Return whether two values are equal as JSON: ``1`` equals ``1.0`` and differs from ``true``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
