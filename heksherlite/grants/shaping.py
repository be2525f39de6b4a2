"""Grants that change where the facts of another grant are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import MISSING, Facts, deep_copy, describe_type, find_keys, merge, value_at
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import KeyPath, Layer, LayeredFacts
from heksherlite.grants.outcomes import outcome_of, raised


class BelowGrant:
    """The facts of another grant, put below a key.

    Below ``database``, the facts ``{"host": "a"}`` are ``{"database": {"host": "a"}}``.

    Args:
        grant: The other grant.
        path: The key, or several separated by dots.

    Raises:
        ValueError: If the path has an empty key.
    """

    def __init__(self, grant: GrantLike, path: str) -> None:
        self._grant = as_grant(grant)
        self._path = path
        self._keys = _split(path)

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the other grant fails.
        """
        facts = await load(self._grant, request)
        return facts.map_layers(partial(_put_below, self._keys))

    def __repr__(self) -> str:
        return f"BelowGrant({self._grant!r}, {self._path!r})"


class PartGrant:
    """A group of the facts of another grant, whose keys become the groups.

    Args:
        grant: The other grant.
        path: The path of the group, such as ``services.shop``.
        required: Whether it is an error if the group does not exist. With ``False``, a missing group has no facts.
    """

    def __init__(self, grant: GrantLike, path: str, *, required: bool = True) -> None:
        self._grant = as_grant(grant)
        self._path = path
        self._required = required

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the other grant fails, or the path does not lead to a group.
        """
        facts = await load(self._grant, request)
        keys = find_keys(facts, self._path)
        if keys is None:
            if self._required:
                raise GrantError(f"{self._grant!r} has no group {self._path!r}")
            return facts.map_layers(lambda layer: replace(layer, facts={}))
        if not isinstance(value_at(facts, keys), Mapping):
            reason = f"must be a mapping, not {describe_type(value_at(facts, keys))}"
            raise GrantError(f"{self._grant!r}: {self._path} {reason}")
        # The name of the group may be what makes its values secret.
        hidden = frozenset(path[len(keys) :] for path in _secret_paths(facts, keys))
        return facts.map_layers(partial(_take_part, keys, hidden))

    def __repr__(self) -> str:
        return f"PartGrant({self._grant!r}, {self._path!r})"


class RenameGrant:
    """The facts of another grant, some of them at other paths.

    Args:
        grant: The other grant.
        names: The new paths by old path, such as ``{"database_url": "database.url"}``. Old paths that do not exist are
            ignored.
        keep_others: Whether to keep the facts that are not renamed.

    Raises:
        ValueError: If a path has an empty key.
    """

    def __init__(self, grant: GrantLike, names: Mapping[str, str], *, keep_others: bool = True) -> None:
        self._grant = as_grant(grant)
        self._names = {old: _split(new) for old, new in names.items()}
        self._keep_others = keep_others

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the other grant fails, or something else is at a new path already.
        """
        return raised(outcome_of(self._rename, await load(self._grant, request)))

    def _rename(self, facts: LayeredFacts) -> LayeredFacts:
        moves = {keys: new for old, new in self._names.items() if (keys := find_keys(facts, old)) is not None}
        others: Facts = deep_copy(facts) if self._keep_others else {}
        for keys in moves:
            _remove(others, keys)
        for keys, new in moves.items():
            if value_at(others, new) is not MISSING:
                old = ".".join(keys)
                raise GrantError(f"{self._grant!r}: {old} cannot be renamed to {'.'.join(new)}, which exists already")
        hidden = frozenset(
            (*new, *path[len(keys) :]) for keys, new in moves.items() for path in _secret_paths(facts, keys)
        )
        return facts.map_layers(lambda layer: _rename(layer, moves, hidden, self._keep_others))

    def __repr__(self) -> str:
        return f"RenameGrant({self._grant!r})"


def _split(path: str) -> KeyPath:
    keys = tuple(path.split("."))
    if not all(keys):
        raise ValueError(f"the path {path!r} has an empty key; expected one like 'group.key'")
    return keys


def _put_below(keys: KeyPath, layer: Layer) -> Layer:
    return replace(
        layer,
        facts=_nested(keys, layer.facts) if layer.facts else {},
        places={(*keys, *old): place for old, place in layer.places.items()},
        secrets=frozenset((*keys, *old) for old in layer.secrets),
    )


def _take_part(keys: KeyPath, hidden: frozenset[KeyPath], layer: Layer) -> Layer:
    part = value_at(layer.facts, keys)
    depth = len(keys)
    return replace(
        layer,
        facts=part if isinstance(part, Mapping) else {},
        places={old[depth:]: place for old, place in layer.places.items() if old[:depth] == keys},
        secrets=hidden,
    )


def _rename(layer: Layer, moves: Mapping[KeyPath, KeyPath], hidden: frozenset[KeyPath], keep_others: bool) -> Layer:
    parts = {old: value for old in moves if (value := value_at(layer.facts, old)) is not MISSING}
    facts: Facts = deep_copy(layer.facts) if keep_others else {}
    places = dict(layer.places) if keep_others else {}
    for old in parts:
        _remove(facts, old)
    for old, value in parts.items():
        new = moves[old]
        facts = merge(facts, _nested(new, value))
        places[new] = layer.source_of(old)
        for keys, place in layer.places.items():
            if keys[: len(old)] == old:
                places[(*new, *keys[len(old) :])] = place
    return replace(layer, facts=facts, places=places, secrets=layer.secrets | hidden)


def _secret_paths(facts: LayeredFacts, keys: KeyPath) -> Iterator[KeyPath]:
    """Yield the key paths of the secret values at a key path and below it."""
    value = value_at(facts, keys)
    if facts.is_secret(keys):
        yield keys
    elif isinstance(value, Mapping):
        for key in value:
            yield from _secret_paths(facts, (*keys, key))


def _nested(keys: KeyPath, value: Any) -> Facts:
    for key in reversed(keys):
        value = {key: value}
    nested: Facts = value
    return nested


def _remove(facts: Facts, keys: KeyPath) -> None:
    """Remove the value at a key path, and the groups that are empty without it."""
    if len(keys) == 1:
        facts.pop(keys[0], None)
    elif keys and isinstance(facts.get(keys[0]), dict):
        _remove(facts[keys[0]], keys[1:])
        if not facts[keys[0]]:
            del facts[keys[0]]
