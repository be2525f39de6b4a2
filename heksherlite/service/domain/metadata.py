"""Edits of metadata, the same for settings and rules: functions from what it was to what it becomes."""

from collections.abc import Callable
from typing import TypeAlias

from heksherlite.service.domain.json_values import Json, Metadata

MetadataEdit: TypeAlias = Callable[[Metadata], Metadata]


def merging(update: Metadata) -> MetadataEdit:
    """Set the given keys and keep the others."""
    return lambda metadata: {**metadata, **update}


def replacing(replacement: Metadata) -> MetadataEdit:
    """Replace everything; an empty replacement clears."""
    return lambda _: replacement


def with_key(key: str, value: Json) -> MetadataEdit:
    """Set one key."""
    return merging({key: value})


def without_key(key: str) -> MetadataEdit:
    """Remove one key, if it is there."""
    return lambda metadata: {name: value for name, value in metadata.items() if name != key}
