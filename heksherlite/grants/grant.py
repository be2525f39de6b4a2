"""What a grant is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, problem_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What a loader asks a grant for.

    Attributes:
        force_refresh: Whether facts that were kept somewhere on the way will not do.
    """

    force_refresh: bool = False


@runtime_checkable
class Grant(Protocol):
    """Where facts come from."""

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the facts: mappings and values by group.

        Raises:
            GrantError: If that is not possible. Any other exception is a mistake in the grant.
        """
        ...


GrantLike: TypeAlias = Grant | Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]
"""A grant, or an asynchronous function that takes a :class:`LoadRequest` and returns facts."""


@dataclass(frozen=True, slots=True)
class FunctionGrant:
    """A grant that is a function.

    Args:
        function: Called with a :class:`LoadRequest`; returns facts.
    """

    function: Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return what the function returns."""
        return await self.function(request)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)


def as_grant(grant: object) -> Grant:
    """Return something that stands for a grant as a grant.

    Raises:
        TypeError: If it is neither a grant nor a function.
    """
    if isinstance(grant, type):
        raise TypeError(f"a grant was expected, not a class: did you mean {grant.__name__}()?")
    if isinstance(grant, Grant):
        return grant
    if callable(grant):
        return FunctionGrant(cast("Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]", grant))
    raise TypeError(f"a grant has a method aload, or is an asynchronous function; this is {type(grant).__name__}")


async def load(grant: Grant, request: LoadRequest) -> Facts:
    """Return a grant's facts, after a look at their shape.

    Raises:
        GrantError: If the grant raises it, or gives something else than nested mappings with string keys.
    """
    facts = await grant.aload(request)
    if problem := problem_of(facts):
        raise GrantError(f"{grant!r} does not give facts: {problem}")
    return dict(facts)
