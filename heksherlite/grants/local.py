"""Facts from environment variables, and constant facts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, deep_copy
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import KeyPath, Layer, LayeredFacts


@dataclass(frozen=True, slots=True)
class EnvGrant:
    """Facts from environment variables: ``FAKTS_GROUP__KEY=value`` is ``{"group": {"key": "value"}}``.

    Keys are in lower case. Values are strings.

    Args:
        prepend: The prefix of the variable names. If it is empty, all variables are read, and those with malformed or
            contradictory names are ignored.
        delimiter: The separator of the keys in a name.
        required: Whether it is an error if there is no such variable. A :class:`FailsafeGrant` then tries its next
            grant. Pass ``False`` for a layer of a :class:`ParallelGrant` that may be empty.
    """

    prepend: str = "FAKTS_"
    delimiter: str = "__"
    required: bool = True

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise ValueError("the delimiter of an EnvGrant must not be empty")

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - the environment is always current
        """Return the facts in the current environment.

        Raises:
            GrantError: If a name is malformed, two names have the same key, a name is both a value and a group, or
                there is no variable although one is required.
        """
        facts, names = parse_environment(os.environ, self.prepend, self.delimiter)
        if self.required and not facts:
            raise GrantError(f"no environment variable starts with {self.prepend!r}")
        places = {keys: f"environment variable {name}" for keys, name in names.items()}
        return LayeredFacts([Layer(source=f"environment variables {self.prepend}*", facts=facts, places=places)])


@dataclass(frozen=True, slots=True, repr=False)
class HardGrant:
    """Constant facts.

    Args:
        values: The facts.
    """

    values: Mapping[str, Any]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - constants are always current
        """Return the facts."""
        facts: Facts = deep_copy(self.values)
        return facts

    def __repr__(self) -> str:
        return f"HardGrant(groups={[*self.values]})"


def parse_environment(variables: Mapping[str, str], prepend: str, delimiter: str) -> tuple[Facts, dict[KeyPath, str]]:
    """Return the facts in environment variables, and the name of the variable of each value.

    Without a prefix, most variables belong to other programs. Then names that are malformed, or contradict each other,
    are no error: groups override values, and names in upper case override others.

    Raises:
        GrantError: If a name is malformed, or two names contradict each other. The message names them.
    """
    if not prepend:
        return _parse_foreign(variables, delimiter)
    facts: Facts = {}
    names: dict[KeyPath, str] = {}
    for name in sorted(variables, key=lambda name: (name.count(delimiter), name)):
        if not name.startswith(prepend):
            continue
        keys = tuple(name.removeprefix(prepend).lower().split(delimiter))
        if not all(keys):
            expected = f"{prepend}GROUP{delimiter}KEY"
            raise GrantError(f"environment variable {name} has an empty key; the expected form is {expected}")
        if keys in names:
            raise GrantError(f"environment variables {names[keys]} and {name} both set {'.'.join(keys)}")
        group = facts
        for depth, key in enumerate(keys[:-1], 1):
            if other := names.get(keys[:depth]):
                raise GrantError(
                    f"environment variable {other} makes {'.'.join(keys[:depth])} a value, and {name} makes it a group"
                )
            group = group.setdefault(key, {})
        group[keys[-1]] = variables[name]
        names[keys] = name
    return facts, names


def _parse_foreign(variables: Mapping[str, str], delimiter: str) -> tuple[Facts, dict[KeyPath, str]]:
    facts: Facts = {}
    names: dict[KeyPath, str] = {}
    # The most nested keys first, so that a value does not replace a group; upper case before lower case.
    for name in sorted(variables, key=lambda name: (-name.count(delimiter), name)):
        keys = tuple(name.lower().split(delimiter))
        if not all(keys):
            continue
        group = facts
        for key in keys[:-1]:
            group = group.setdefault(key, {})
        if keys[-1] not in group:
            group[keys[-1]] = variables[name]
            names[keys] = name
    return facts, names
