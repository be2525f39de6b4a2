"""The loader: fetches facts by a grant once, and answers from memory."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from heksherlite.errors import FaktsError, GroupNotFound, NoFaktsFound
from heksherlite.grants.event_loops import in_event_loop, run_from_sync
from heksherlite.grants.facts import Facts, copied, is_at, looked_up, merged, problem_of
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.loading import Loaded, SharedLoad

M = TypeVar("M")

_NOT_LOADED: Final = "facts are not loaded, and may not be loaded for this: call load() or aload() before"


class Fakts:
    """An application's start-up configuration: *facts* that a grant fetches.

    They are loaded when they are first asked for, once, however many tasks and threads ask at the same time; after that
    they are in memory. ``with fakts:`` and ``async with fakts:`` make this the one that :func:`get_current_fakts`
    returns, in that context. Before and after such a block it works as well.

    In the thread of an event loop, the synchronous methods answer only what is loaded already.

    Args:
        grant: Where the facts come from: a grant, or an asynchronous function of a :class:`LoadRequest`.
        hard_fakts: Facts that override those of the grant.
        assert_groups: Groups that have to be there after a load.
        allow_auto_load: Whether asking for facts loads them.
        load_on_enter: Whether a ``with`` block loads them at its beginning.

    Raises:
        TypeError: If the grant is none, or ``hard_fakts`` cannot be facts.
    """

    def __init__(
        self,
        grant: GrantLike,
        *,
        hard_fakts: Mapping[str, Any] | None = None,
        assert_groups: Collection[str] = frozenset(),
        allow_auto_load: bool = True,
        load_on_enter: bool = False,
    ) -> None:
        if isinstance(assert_groups, str):
            raise TypeError("assert_groups must be several names, not one string")
        if problem := problem_of(hard_fakts or {}):
            raise TypeError(f"hard_fakts are no facts: {problem}")
        self._grant: Final = as_grant(grant)
        self._hard_fakts: Final = merged(hard_fakts or {})
        self._assert_groups: Final = frozenset(assert_groups)
        self._allow_auto_load: Final = allow_auto_load
        self._load_on_enter: Final = load_on_enter
        self._shared: Final = SharedLoad(self._load_facts)

    def __repr__(self) -> str:
        return f"<Fakts of {self._grant!r}, {'not ' if self._shared.loaded is None else ''}loaded>"

    @overload
    async def aget(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: None = None
    ) -> Any: ...

    @overload
    async def aget(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M: ...

    async def aget(
        self,
        path: str | None = None,
        *,
        auto_load: bool = True,
        force_refresh: bool = False,
        into: type[Any] | None = None,
    ) -> Any:
        """Return a group, or any value below one. It is the caller's own: to change it changes nothing here.

        Args:
            path: Keys with dots between them, such as ``group.key``; ``None`` for all facts.
            auto_load: Whether facts may be loaded for this: if they are not yet, and again if the path is missing.
            force_refresh: Whether to load them in any case, past all caches.
            into: What to make of a group: a dataclass, an attrs class or a pydantic model. Needs
                ``heksherlite[models]``, or pydantic.

        Raises:
            GroupNotFound: If there is nothing on that path, also after one forced load.
            FaktsError: If facts are not loaded and may not be.
            FactsShapeError: If the value does not fit the class.
            GrantError: If loading fails.
        """
        return await self._asked(path, auto_load and self._allow_auto_load, force_refresh, into)

    @overload
    def get(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: None = None
    ) -> Any: ...

    @overload
    def get(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M: ...

    def get(
        self,
        path: str | None = None,
        *,
        auto_load: bool = True,
        force_refresh: bool = False,
        into: type[Any] | None = None,
    ) -> Any:
        """Return a group or value as :meth:`aget` does, in synchronous code.

        Raises:
            FaktsError: As for :meth:`aget`, and in an event loop's thread, where it must not wait, if it had to load.
        """
        loads = auto_load and self._allow_auto_load
        loaded = self._shared.loaded
        if force_refresh:
            reason = "it was to be loaded again"
        elif loaded is not None:
            try:
                return _as_asked(looked_up(loaded.value, path), path, into)
            except GroupNotFound as error:
                if not loads:
                    raise
                reason = str(error)
        elif loads:
            reason = "nothing is loaded yet"
        else:
            raise FaktsError(_NOT_LOADED)
        asked = partial(self._asked, path, loads, force_refresh, into)
        return _waited(asked, "aget", reason)

    async def aload(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts unless they are loaded, and return them all.

        Args:
            force_refresh: Whether to load them in any case, past all caches.

        Raises:
            GrantError: If that fails. What was loaded before stays.
            GroupNotFound: If one of ``assert_groups`` is not among them. Likewise.
        """
        loaded = await self._loaded(loads=True, forced=force_refresh)
        facts: Facts = copied(loaded.value)
        return facts

    def load(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts as :meth:`aload` does, in synchronous code."""
        if self._shared.loaded is not None and not force_refresh:
            facts: Facts = copied(self._shared.loaded.value)
            return facts
        reason = "nothing is loaded yet" if self._shared.loaded is None else "it was to be loaded again"
        return _waited(partial(self.aload, force_refresh=force_refresh), "aload", reason)

    async def arefresh(self) -> Facts:
        """Load the facts again, past all caches, and return them all.

        Raises:
            GrantError: If that fails. What was loaded before stays.
            GroupNotFound: If one of ``assert_groups`` is not among them. Likewise.
        """
        return await self.aload(force_refresh=True)

    def refresh(self) -> Facts:
        """Load the facts again as :meth:`arefresh` does, in synchronous code."""
        return self.load(force_refresh=True)

    def has_changed(self, value: object, path: str | None = None) -> bool:
        """Tell whether a value that was read earlier is not what the loaded facts say; also if there are none.

        Args:
            value: What was read.
            path: From where.
        """
        loaded = self._shared.loaded
        return loaded is None or not is_at(loaded.value, path, value)

    def __enter__(self) -> Self:
        if self._load_on_enter:
            self.load()
        _enter(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _leave(self)

    async def __aenter__(self) -> Self:
        if self._load_on_enter:
            await self.aload()
        _enter(self)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _leave(self)

    async def _asked(self, path: str | None, loads: bool, forced: bool, into: type[Any] | None) -> Any:
        loaded = await self._loaded(loads=loads, forced=forced)
        try:
            found = looked_up(loaded.value, path)
        except GroupNotFound as error:
            if not loads or forced:
                raise
            found = looked_up((await self._reloaded_for(error, loaded)).value, path)
        return _as_asked(found, path, into)

    async def _loaded(self, *, loads: bool, forced: bool) -> Loaded[Facts]:
        loaded = self._shared.loaded
        if forced:
            return await self._shared.wanted(newer_than=0 if loaded is None else loaded.refreshes)
        if loaded is None and not loads:
            raise FaktsError(_NOT_LOADED)
        return await self._shared.wanted()

    async def _reloaded_for(self, missing: GroupNotFound, loaded: Loaded[Facts]) -> Loaded[Facts]:
        try:
            return await self._shared.wanted(newer_than=loaded.refreshes)
        except FaktsError as error:
            reason = "they could not be loaded again"
            raise GroupNotFound(missing.path, missing.existing, reason) from error

    async def _load_facts(self, forced: bool) -> Facts:
        facts = merged(await load(self._grant, LoadRequest(force_refresh=forced)), self._hard_fakts)
        for group in sorted(self._assert_groups):
            looked_up(facts, group)
        return facts


def _waited(function: Callable[[], Coroutine[Any, Any, M]], name: str, reason: str) -> M:
    if in_event_loop():
        raise FaktsError(
            f"{reason}, and to load in the thread of an event loop would block it: use 'await {name}(...)'"
        )
    return run_from_sync(function)


def _as_asked(found: Any, path: str | None, into: type[M] | None) -> Any:
    if into is None:
        return copied(found)
    from heksherlite.grants.models import structured  # noqa: PLC0415 - needs an extra

    return structured(found, path, into)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A ``with`` block that the code is in, and what it is in itself."""

    fakts: Fakts
    outer: "_Entry | None"


_current: ContextVar[_Entry | None] = ContextVar("heksherlite_current_fakts", default=None)


def get_current_fakts() -> Fakts:
    """Return the loader whose ``with`` block the code is in, the innermost if there are several.

    Raises:
        NoFaktsFound: If it is in none. Threads that were started inside of a block are not in it, except worker
            threads of anyio, trio and ``asyncio.to_thread``.
    """
    entry = _current.get()
    if entry is None:
        raise NoFaktsFound("there are no current facts: this code is not inside of 'with Fakts(...)'")
    return entry.fakts


def _enter(fakts: Fakts) -> None:
    _current.set(_Entry(fakts, _current.get()))


def _leave(fakts: Fakts) -> None:
    _current.set(_without(fakts, _current.get()))


def _without(fakts: Fakts, entry: _Entry | None) -> _Entry | None:
    """Return what is around a block. Blocks that are left in another order than they were entered are found too."""
    if entry is None or entry.fakts is fakts:
        return entry and entry.outer
    return _Entry(entry.fakts, _without(fakts, entry.outer))
