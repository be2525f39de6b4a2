"""Layers: facts together with where they are from. No I/O."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from heksherlite.errors import GroupNotFound
from heksherlite.grants.expiry import CredentialExpiry
from heksherlite.grants.facts import MISSING, Facts, find_keys, merge, value_at
from heksherlite.grants.spelling import has_loose_keys, respell
from heksherlite.grants.watches import Watch
from heksherlite.secret import MASK, SecretText

KeyPath: TypeAlias = tuple[str, ...]
"""The keys that lead to a value."""

_SECRET_KEY: Final = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|authorization|cookie|(api|private|secret|access|signing|encryption)[_-]?key)$",
    re.IGNORECASE,
)
"""The keys whose values are secret, whatever their source says."""

_CREDENTIALS_IN_URL: Final = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#@]*:[^/?#]+@", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Facts of one source.

    Args:
        source: The source, such as the path of a file, for messages and explanations.
        facts: The facts.
        places: More exact sources, such as a line of a file, by key path. They also apply to everything below the path.
        secrets: The key paths of the values that must not be displayed, including everything below. An empty path
            means all facts.
        is_pending: Whether the source has not been asked yet, see :class:`LazyGrant`.
        watches: What tells that the source has changed, for programs that follow changes.
        as_of: When the facts were current, in seconds since 1970, if they are from a cache.
        expiry: The end of the credentials by which the facts were claimed, if it is known.
    """

    source: str
    facts: Mapping[str, Any] = field(repr=False)
    places: Mapping[KeyPath, str] = field(default_factory=dict, repr=False)
    secrets: frozenset[KeyPath] = frozenset()
    is_pending: bool = False
    watches: tuple[Watch, ...] = field(default=(), repr=False)
    as_of: float | None = None
    expiry: CredentialExpiry | None = None

    def source_of(self, keys: KeyPath) -> str:
        """Return the most exact source that is known for a key path."""
        return next((self.places[part] for part in _prefixes(keys) if part in self.places), self.source)

    def is_secret(self, keys: KeyPath) -> bool:
        """Return whether this source says that a value must not be displayed."""
        return any(part in self.secrets for part in _prefixes(keys))


class LayeredFacts(Facts):
    """Facts that were merged from layers. Later layers override earlier ones at all levels.

    A grant that returns them says where each value is from. Facts of any other kind are one layer, whose source is the
    ``repr`` of the grant.

    Args:
        layers: The layers.

    Attributes:
        layers: The layers.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers: tuple[Layer, ...] = ()  # for the repr in tracebacks if the next line fails
        self.layers = _spell_alike(tuple(layers))
        super().__init__(merge(*(layer.facts for layer in self.layers)))

    @property
    def is_pending(self) -> bool:
        """Whether a layer has not been asked yet."""
        return any(layer.is_pending for layer in self.layers)

    @property
    def expiries(self) -> tuple[CredentialExpiry, ...]:
        """The known ends of the credentials by which the facts were claimed, the first one first."""
        known = {layer.expiry for layer in self.layers if layer.expiry is not None}
        return tuple(sorted(known, key=lambda expiry: expiry.at))

    def __repr__(self) -> str:
        """Return the number of layers, and no facts: tracebacks may display it."""
        return f"<LayeredFacts of {len(self.layers)} layers>"

    def map_layers(self, change: Callable[[Layer], Layer]) -> "LayeredFacts":
        """Return the facts of the layers that a function returns for each of these layers."""
        return LayeredFacts(map(change, self.layers))

    def is_secret(self, keys: KeyPath) -> bool:
        """Return whether a value must not be displayed.

        That is so if its source says so, if its key is named like ``password`` or ``client_secret``, or if it is a URL
        with a password.
        """
        if any(map(_SECRET_KEY.search, keys)) or any(layer.is_secret(keys) for layer in self.layers):
            return True
        value = value_at(self, keys)
        return isinstance(value, str) and _CREDENTIALS_IN_URL.match(value) is not None

    def source_of(self, keys: KeyPath) -> str | None:
        """Return the source of the value at a key path, or ``None`` if there is none."""
        if value_at(self, keys) is MISSING:
            return None
        layers = [layer for layer in self.layers if value_at(layer.facts, keys) is not MISSING]
        return layers[-1].source_of(keys)

    def masked(self) -> Facts:
        """Return a copy in which secret texts are :class:`SecretText`, which shows itself only if it is asked to."""
        return {str(key): self._masked(value, (key,)) for key, value in self.items()}

    def _masked(self, value: Any, keys: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._masked(item, (*keys, key)) for key, item in value.items()}
        return _mask_texts(value) if isinstance(value, str | list) and self.is_secret(keys) else value


def _spell_alike(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Return layers in which loose keys are spelled like those of the other layers."""
    if not any(has_loose_keys(layer.facts) for layer in layers):
        return layers
    spelled = respell([layer.facts for layer in layers])
    return tuple(
        replace(
            layer,
            facts=facts,
            places={names.translate(keys): place for keys, place in layer.places.items()},
            secrets=frozenset(map(names.translate, layer.secrets)),
        )
        for layer, (facts, names) in zip(layers, spelled, strict=True)
    )


@dataclass(frozen=True, slots=True)
class SourcedValue:
    """What one source has for a key path.

    Attributes:
        source: The source.
        value: The value. Secret texts are :class:`SecretText`.
        is_secret: Whether the value must not be displayed.
        is_in_force: Whether this is the value that the loader returns.
    """

    source: str
    value: Any = field(repr=False)
    is_secret: bool
    is_in_force: bool

    def __str__(self) -> str:
        shown = MASK if self.is_secret else repr(self.value)
        return f"{shown:<24} {self.source}"


@dataclass(frozen=True, slots=True)
class FactsExplanation:
    """Where facts are from. ``str()`` returns it as a text for people, without secrets.

    Attributes:
        path: The path that was explained, or ``None`` for all facts.
        values: For each path at or below it, what each source has. The one that wins comes first, and those that it
            overrides follow.
    """

    path: str | None
    values: Mapping[str, tuple[SourcedValue, ...]]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for path, values in self.values.items():
            yield path
            for value in values:
                yield f"  {'->' if value.is_in_force else '  '} {value}"
            if not values[0].is_in_force:
                yield "     (none is in force: a later source overrides the whole group, or makes this a group)"


def explain(facts: LayeredFacts, path: str | None) -> FactsExplanation:
    """Return what each layer has at a path and below it.

    Raises:
        GroupNotFound: If no layer has anything there.
    """
    # A key may contain dots, so that only the facts know which keys a path means.
    starts: list[KeyPath] = [()]
    if path is not None:
        everything = (facts, *(layer.facts for layer in facts.layers))
        starts = [keys for source in everything if (keys := find_keys(source, path)) is not None][:1]
        if not starts:
            raise GroupNotFound(path, sorted(facts))
    paths = dict.fromkeys(_leaves(facts))
    for layer in facts.layers:
        paths |= dict.fromkeys(keys for keys in _leaves(layer.facts) if value_at(layer.facts, keys) != {})
    below = [keys for keys in paths if keys[: len(starts[0])] == starts[0]]
    if not below:  # a value that another source makes a group, or an empty group
        below = [starts[0]]
    return FactsExplanation(path, {".".join(keys): _explain_value(facts, keys) for keys in below if keys})


def _explain_value(facts: LayeredFacts, keys: KeyPath) -> tuple[SourcedValue, ...]:
    is_secret = facts.is_secret(keys)
    merged = value_at(facts, keys)
    is_value = merged is not MISSING and (merged == {} or not isinstance(merged, Mapping))
    values: list[SourcedValue] = []
    for layer in reversed(facts.layers):
        value = value_at(layer.facts, keys)
        if value is not MISSING:
            hidden = is_secret or _contains_secret(facts, keys, value)
            shown = _mask_texts(value) if hidden else value
            values.append(SourcedValue(layer.source_of(keys), shown, hidden, is_value and not values))
    return tuple(values)


def _contains_secret(facts: LayeredFacts, keys: KeyPath, value: Any) -> bool:
    """Return whether a value that is not in force must be hidden: it was not looked at as part of the facts."""
    if isinstance(value, Mapping):
        return any(facts.is_secret((*keys, key)) or _contains_secret(facts, (*keys, key), value[key]) for key in value)
    return isinstance(value, str) and _CREDENTIALS_IN_URL.match(value) is not None


def _leaves(facts: Mapping[str, Any], *keys: str) -> Iterator[KeyPath]:
    """Yield the key paths of all values that are not groups, and of empty groups."""
    for key, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, *keys, key)
        else:
            yield *keys, key


def _prefixes(keys: KeyPath) -> Iterator[KeyPath]:
    """Yield a key path and its beginnings, the longest first."""
    for length in range(len(keys), -1, -1):
        yield keys[:length]


def _mask_texts(value: Any) -> Any:
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, Mapping):
        return {key: _mask_texts(item) for key, item in value.items()}
    return [_mask_texts(item) for item in value] if isinstance(value, list) else value
