"""Writes to the context features and their global order."""

import re
from collections.abc import Sequence

from heksherlite import names
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.errors import ConflictError, NotFoundError


def add(catalog: Catalog, name: str) -> Decision[None]:
    """Append a context feature. It becomes the most specific one."""
    if name in catalog.context_features:
        raise ConflictError("context feature already exists")
    return _reordered(catalog, (*catalog.context_features, name))


def remove(catalog: Catalog, name: str) -> Decision[None]:
    """Remove a context feature that no setting uses. The following ones move up."""
    _require(catalog, name)
    if any(name in entry.setting.configurable_features for entry in catalog.entries.values()):
        raise ConflictError("context feature can't be deleted, there is at least one setting configured by it")
    return _reordered(catalog, tuple(feature for feature in catalog.context_features if feature != name))


def move(catalog: Catalog, name: str, *, after: str | None = None, before: str | None = None) -> Decision[None]:
    """Move a context feature directly after or directly before another one. Exactly one of the two is given."""
    other = after if before is None else before
    if other is None:
        raise ValueError("either after or before is needed")
    _require(catalog, name)
    _require(catalog, other)
    if name == other:
        return Decision(None)
    features = [feature for feature in catalog.context_features if feature != name]
    features.insert(features.index(other) + (before is None), name)
    return _reordered(catalog, tuple(features))


def expect(catalog: Catalog, expected: Sequence[str]) -> Decision[None]:
    """Add the expected context features that are missing, so that exactly the expected ones exist.

    Raises:
        ValueError: The existing context features are not a subsequence of the expected ones, or an expected one is
            malformed or listed twice.
    """
    for feature in expected:
        if re.fullmatch(names.CONTEXT_FEATURE_NAME, feature) is None:
            raise ValueError(f"{feature!r} is not a name for a context feature (letters, digits and _)")
    if len(set(expected)) != len(expected):
        raise ValueError(f"the expected context features {list(expected)} have duplicates")
    if list(catalog.context_features) != [name for name in expected if name in catalog.context_features]:
        raise ValueError(
            f"the expected context features are {list(expected)}, but the database has"
            f" {list(catalog.context_features)}: these must all be expected, in the same order"
        )
    return _reordered(catalog, tuple(expected))


def _require(catalog: Catalog, name: str) -> None:
    if name not in catalog.context_features:
        raise NotFoundError(f"context feature {name!r} does not exist")


def _reordered(catalog: Catalog, features: tuple[str, ...]) -> Decision[None]:
    unchanged = features == catalog.context_features
    return Decision(None, Changes() if unchanged else Changes(context_features=features))
