"""The protocol of grants."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from heksherlite.errors import GrantError
from heksherlite.grants.facts import find_problem, merge
from heksherlite.grants.layers import Layer, LayeredFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """A request of a loader to a grant.

    Attributes:
        force_refresh: Whether cached facts must not be used.
        may_ask: Whether a grant may ask a person. It may not if the facts are loaded again in the background, or
            because a path does not exist.
        needs_all: Whether a :class:`LazyGrant` must load, because the other layers lack what is read.
    """

    force_refresh: bool = False
    may_ask: bool = True
    needs_all: bool = False


@runtime_checkable
class Grant(Protocol):
    """A source of facts."""

    async def aload(self, request: LoadRequest, /) -> Mapping[str, Any]:
        """Return the facts: mappings and values by group, or :class:`LayeredFacts`, which say where they are from.

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
        loading = self.function(request)
        if not isinstance(loading, Awaitable):
            raise TypeError(f"the function of a grant must be asynchronous: write 'async def {self!r}'")
        return await loading

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


async def load(grant: Grant, request: LoadRequest) -> LayeredFacts:
    """Return the facts of a grant, and where they are from.

    Raises:
        GrantError: If the grant raises it, or returns anything but nested mappings with string keys.
        TypeError: If the grant is not asynchronous.
    """
    loading = grant.aload(request)
    if not isinstance(loading, Awaitable):
        raise TypeError(f"the method aload of a grant must be asynchronous, unlike that of {grant!r}")
    facts = await loading
    if problem := find_problem(facts):
        del facts  # error trackers record local variables
        raise GrantError(f"{grant!r} returned invalid facts: {problem}")
    if isinstance(facts, LayeredFacts) and facts == merge(*(layer.facts for layer in facts.layers)):
        return facts
    return LayeredFacts(
        [Layer(source=repr(grant), facts=merge(facts))]
    )  # also if a grant changed the facts of another one
