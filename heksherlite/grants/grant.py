"""The protocol of grants."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, find_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """A request of a loader to a grant.

    Attributes:
        force_refresh: Whether cached facts must not be used.
        missing: The path that is read and that the facts of the last load lack, or ``None``.
    """

    force_refresh: bool = False
    missing: str | None = None


@runtime_checkable
class Grant(Protocol):
    """A source of facts."""

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the facts: mappings and values by group.

        Raises:
            GrantError: If the facts cannot be loaded. Any other exception counts as a bug in the grant.
        """
        ...


GrantLike: TypeAlias = Grant | Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]
"""A grant, or an asynchronous function that takes a :class:`LoadRequest` and returns facts."""


@dataclass(frozen=True, slots=True)
class FunctionGrant:
    """A grant made of a function.

    Args:
        function: The function. It takes a :class:`LoadRequest` and returns facts.
    """

    function: Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the result of the function."""
        return await self.function(request)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)


def as_grant(grant: object) -> Grant:
    """Return a grant unchanged, and a function as a grant.

    Raises:
        TypeError: If the argument is neither.
    """
    if isinstance(grant, type):
        raise TypeError(f"expected a grant, not the class {grant.__name__}: did you mean {grant.__name__}()?")
    if isinstance(grant, Grant):
        return grant
    if callable(grant):
        return FunctionGrant(cast("Callable[[LoadRequest], Awaitable[Mapping[str, Any]]]", grant))
    raise TypeError(f"expected an object with a method aload, or an asynchronous function, not {type(grant).__name__}")


async def load(grant: Grant, request: LoadRequest) -> Facts:
    """Return the facts of a grant.

    Raises:
        GrantError: If the grant raises it, or returns anything but nested mappings with string keys.
    """
    facts = await grant.aload(request)
    if problem := find_problem(facts):
        raise GrantError(f"{grant!r} returned invalid facts: {problem}")
    return dict(facts)
