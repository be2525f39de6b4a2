"""JSON values in memory: what `json.loads` makes of them, kept as they were sent."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any
Metadata: TypeAlias = Mapping[str, Json]


def same_json(one: Json, other: Json) -> bool:
    """Tell whether two values are equal as JSON: ``1`` equals ``1.0`` and differs from ``true``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
