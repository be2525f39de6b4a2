"""Facts from the environment, and constants."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, copied
from heksherlite.grants.grant import LoadRequest


@dataclass(frozen=True, slots=True)
class EnvGrant:
    """Facts from environment variables: ``FAKTS_GROUP__KEY=value`` is ``{"group": {"key": "value"}}``.

    Keys are in lower case, and values are strings.

    Args:
        prepend: How the names of the variables begin.
        delimiter: What separates the keys in a name.
        required: Whether it is an error if there is no such variable, so that a :class:`FailsafeGrant` goes on to its
            next grant. Without, there are no facts then, as a layer of a :class:`ParallelGrant` needs it.
    """

    prepend: str = "FAKTS_"
    delimiter: str = "__"
    required: bool = True

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise ValueError("the delimiter of an EnvGrant must not be empty")

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - the environment is always fresh
        """Return the facts that the environment has now.

        Raises:
            GrantError: If a name is malformed, two names stand for the same key or for a value and a group, or there
                is none although one is required.
        """
        facts = parse_environment(os.environ, self.prepend, self.delimiter)
        if self.required and not facts:
            raise GrantError(f"no environment variable begins with {self.prepend!r}")
        return facts


@dataclass(frozen=True, slots=True, repr=False)
class HardGrant:
    """Constants.

    Args:
        values: The facts.
    """

    values: Mapping[str, Any]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - constants are always fresh
        """Return the constants."""
        facts: Facts = copied(self.values)
        return facts

    def __repr__(self) -> str:
        return f"HardGrant(groups={[*self.values]})"


def parse_environment(variables: Mapping[str, str], prepend: str, delimiter: str) -> Facts:
    """Return the facts that are in environment variables.

    Raises:
        GrantError: If a name is malformed, or two names contradict each other; the message names them.
    """
    facts: Facts = {}
    names: dict[tuple[str, ...], str] = {}
    for name in sorted(variables, key=lambda name: (name.count(delimiter), name)):
        if not name.startswith(prepend):
            continue
        keys = tuple(name.removeprefix(prepend).lower().split(delimiter))
        if not all(keys):
            expected = f"{prepend}GROUP{delimiter}KEY"
            raise GrantError(f"environment variable {name} has an empty key; it should be like {expected}")
        if keys in names:
            raise GrantError(f"environment variables {names[keys]} and {name} are the same key {'.'.join(keys)}")
        group = facts
        for depth, key in enumerate(keys[:-1], 1):
            if other := names.get(keys[:depth]):
                raise GrantError(
                    f"{'.'.join(keys[:depth])} is a value by environment variable {other}, and a group by {name}"
                )
            group = group.setdefault(key, {})
        group[keys[-1]] = variables[name]
        names[keys] = name
    return facts
