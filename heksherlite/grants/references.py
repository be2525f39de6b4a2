"""References between facts."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from heksherlite.errors import GrantError, GroupNotFound
from heksherlite.grants.facts import describe_type, find_keys, look_up
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import KeyPath, Layer, LayeredFacts
from heksherlite.grants.outcomes import outcome_of, raised

_REFERENCE: Final = re.compile(r"(\$?)\$\{([^{}]*)\}")
_MAX_SIZE: Final = 1_000_000
"""The maximum number of values and characters in facts with references, because references can multiply."""


class ReferencesGrant:
    """The facts of another grant, in which ``${group.key}`` stands for the value at that path.

    A text that is only a reference becomes the value itself, whatever its type. In a longer text, the value must be a
    text, a number or a boolean. ``$${`` stands for ``${``. Put this grant around the layers, so that a reference finds
    the value that wins.

    Args:
        grant: The other grant.
    """

    def __init__(self, grant: GrantLike) -> None:
        self._grant = as_grant(grant)

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the other grant fails, or a reference leads nowhere or in a circle.
        """
        return raised(outcome_of(resolve_references, await load(self._grant, request)))

    def __repr__(self) -> str:
        return f"ReferencesGrant({self._grant!r})"


def resolve_references(facts: LayeredFacts) -> LayeredFacts:
    """Return facts without references.

    Raises:
        GrantError: If a reference leads nowhere or in a circle, or the facts become too large. The message contains the
            paths, but no values.
    """
    resolution = _Resolution(facts)
    return facts.map_layers(resolution.resolve_layer)


class _Resolution:
    """Resolves the references in facts.

    Args:
        facts: The facts.
    """

    def __init__(self, facts: LayeredFacts) -> None:
        self._facts = facts
        self._size = 0
        self._secrets: set[KeyPath] = set()

    def resolve_layer(self, layer: Layer) -> Layer:
        """Return a layer without references. What refers to a secret is one."""
        self._secrets = set(layer.secrets)
        facts = self._resolve(layer.facts, (), ())
        return replace(layer, facts=facts, secrets=frozenset(self._secrets))

    def _resolve(self, value: Any, place: KeyPath, chain: tuple[str, ...]) -> Any:
        """Return a value without references.

        Args:
            value: The value.
            place: Where it is used.
            chain: The references that led to it.
        """
        self._count(1, place)
        if isinstance(value, Mapping):
            return {key: self._resolve(item, (*place, key), chain) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._resolve(item, place, chain) for item in value]
        return self._resolve_text(value, place, chain) if isinstance(value, str) else value

    def _resolve_text(self, text: str, place: KeyPath, chain: tuple[str, ...]) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and not whole[1]:
            return self._follow(whole[2], place, chain)

        def text_of(found: re.Match[str]) -> str:
            if found[1]:
                return found[0][1:]
            value = self._follow(found[2], place, chain)
            if isinstance(value, bool):
                return str(value).lower()
            if not isinstance(value, str | int | float):
                expected = f"must lead to a text or a number, not {describe_type(value)}"
                raise GrantError(f"{'.'.join(place)}: ${{{found[2]}}} is part of a longer text and {expected}")
            return str(value)

        resolved = _REFERENCE.sub(text_of, text)
        self._count(len(resolved), place)
        return resolved

    def _follow(self, path: str, place: KeyPath, chain: tuple[str, ...]) -> Any:
        shown = ".".join(place)
        if path in chain:
            circle = " -> ".join((*chain[chain.index(path) :], path))
            raise GrantError(f"{shown}: references lead in a circle: {circle}")
        try:
            value = look_up(self._facts, path)
        except GroupNotFound as error:
            raise GrantError(f"{shown}: reference ${{{path}}}: {error}; write $${{ for the text ${{") from None
        if self._facts.is_secret(find_keys(self._facts, path) or ()):
            self._secrets.add(place)
        return self._resolve(value, place, (*chain, path))

    def _count(self, size: int, place: KeyPath) -> None:
        self._size += size
        if self._size > _MAX_SIZE:
            raise GrantError(f"{'.'.join(place)}: references expand to more than {_MAX_SIZE:,} values and characters")
