"""Edits of the metadata of settings and rules: functions from the old metadata to the new."""

from collections.abc import Callable
from typing import TypeAlias

from heksherlite.service.domain.json_values import Json, Metadata

MetadataEdit: TypeAlias = Callable[[Metadata], Metadata]


def merging(update: Metadata) -> MetadataEdit:
    """Return an edit that sets the given keys and keeps the others."""
    return lambda metadata: {**metadata, **update}


def replacing(replacement: Metadata) -> MetadataEdit:
    """Return an edit that replaces all metadata."""
    return lambda _: replacement


def with_key(key: str, value: Json) -> MetadataEdit:
    """Return an edit that sets one key."""
    return merging({key: value})


def without_key(key: str) -> MetadataEdit:
    """Return an edit that removes one key, if it exists."""
    return lambda metadata: {name: value for name, value in metadata.items() if name != key}
