"""The loader: loads facts by a grant once, and returns them from memory."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from cachetools import LRUCache

from heksherlite.errors import FaktsError, GroupNotFound, NoFaktsFound
from heksherlite.grants.event_loops import in_event_loop, run_from_sync
from heksherlite.grants.facts import Facts, deep_copy, find_problem, has_value, look_up, merge
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.loading import Loaded, SharedLoad

M = TypeVar("M")

_MISSING_SECONDS: Final = 60.0
"""The time for which a missing path does not cause another load."""

_MAX_MISSING: Final = 1000
"""The maximum number of missing paths that are remembered."""

_NOT_LOADED: Final = "facts are not loaded, and auto_load is off: call load() or aload() first"


class Fakts:
    """The start-up configuration of an application: *facts* that a grant loads.

    Facts are loaded on first use, once for all tasks and threads, and then kept in memory. Inside ``with fakts:`` and
    ``async with fakts:``, :func:`get_current_fakts` returns this loader. The loader also works outside of such blocks.

    In the thread of an event loop, the synchronous methods only return facts that are loaded already.

    Args:
        grant: The source of the facts: a grant, or an asynchronous function that takes a :class:`LoadRequest`.
        hard_fakts: Facts that override those of the grant.
        assert_groups: Groups that must exist after a load.
        allow_auto_load: Whether reading facts loads them if necessary.
        load_on_enter: Whether entering a ``with`` block loads the facts.

    Raises:
        TypeError: If the grant is not a grant, or ``hard_fakts`` are not facts.
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
            raise TypeError("assert_groups must be a collection of names, not a string")
        if problem := find_problem(hard_fakts or {}):
            raise TypeError(f"invalid hard_fakts: {problem}")
        self._grant: Final = as_grant(grant)
        self._hard_fakts: Final = merge(hard_fakts or {})
        self._assert_groups: Final = frozenset(assert_groups)
        self._allow_auto_load: Final = allow_auto_load
        self._load_on_enter: Final = load_on_enter
        self._missing_until: Final[LRUCache[str | None, float]] = LRUCache(_MAX_MISSING)
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
        """Return a copy of a group, or of any value below one.

        Args:
            path: Keys separated by dots, such as ``group.key``, or ``None`` for all facts.
            auto_load: Whether to load the facts if they are not loaded, and once more if the path does not exist. A
                path that was missing after that does not cause another load for a minute.
            force_refresh: Whether to load the facts in any case, bypassing all caches.
            into: The class to convert the group to: a dataclass, an attrs class or a pydantic model. Requires
                ``heksherlite[models]`` or pydantic.

        Raises:
            GroupNotFound: If the path does not exist, even after one forced load.
            FaktsError: If the facts are not loaded, and loading is not allowed.
            FactsShapeError: If the value does not fit the class.
            GrantError: If loading fails.
        """
        return await self._get(path, auto_load and self._allow_auto_load, force_refresh, into)

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
        """Return a group or value in synchronous code, otherwise as :meth:`aget` does.

        Raises:
            FaktsError: As for :meth:`aget`, and if facts have to be loaded in the thread of an event loop.
        """
        loads = auto_load and self._allow_auto_load
        loaded = self._shared.loaded
        if force_refresh:
            reason = "a refresh was requested"
        elif loaded is not None:
            try:
                return _convert(look_up(loaded.value, path), path, into)
            except GroupNotFound as error:
                if not loads or self._was_missing(path):
                    raise
                reason = str(error)
        elif loads:
            reason = "facts are not loaded yet"
        else:
            raise FaktsError(_NOT_LOADED)
        return _run_blocking(partial(self._get, path, loads, force_refresh, into), "aget", reason)

    async def aload(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts unless they are loaded, and return all of them.

        Args:
            force_refresh: Whether to load them in any case, bypassing all caches.

        Raises:
            GrantError: If loading fails. Facts that were loaded before are kept.
            GroupNotFound: If one of ``assert_groups`` does not exist. Facts that were loaded before are kept.
        """
        loaded = await self._load(loads=True, forced=force_refresh)
        facts: Facts = deep_copy(loaded.value)
        return facts

    def load(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts in synchronous code, otherwise as :meth:`aload` does."""
        if self._shared.loaded is not None and not force_refresh:
            facts: Facts = deep_copy(self._shared.loaded.value)
            return facts
        reason = "facts are not loaded yet" if self._shared.loaded is None else "it was to be loaded again"
        return _run_blocking(partial(self.aload, force_refresh=force_refresh), "aload", reason)

    async def arefresh(self) -> Facts:
        """Load the facts again, bypassing all caches, and return all of them.

        Raises:
            GrantError: If loading fails. Facts that were loaded before are kept.
            GroupNotFound: If one of ``assert_groups`` does not exist. Facts that were loaded before are kept.
        """
        return await self.aload(force_refresh=True)

    def refresh(self) -> Facts:
        """Load the facts again in synchronous code, otherwise as :meth:`arefresh` does."""
        return self.load(force_refresh=True)

    def has_changed(self, value: object, path: str | None = None) -> bool:
        """Return whether a value that was read earlier differs from the loaded facts, or no facts are loaded.

        Args:
            value: The value that was read.
            path: The path that it was read from.
        """
        loaded = self._shared.loaded
        return loaded is None or not has_value(loaded.value, path, value)

    def set_as_main(self) -> None:
        """Make this the loader that :func:`get_current_fakts` returns outside of all ``with`` blocks.

        It is the loader for the whole process, including all threads, and event loops and handlers of a web framework.
        It replaces any earlier main loader.
        """
        global _main  # noqa: PLW0603 - one for the process
        _main = self

    def unset_as_main(self) -> None:
        """Undo :meth:`set_as_main`. Nothing happens if this is not the main loader."""
        global _main  # noqa: PLW0603 - one for the process
        if _main is self:
            _main = None

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

    async def _get(self, path: str | None, loads: bool, forced: bool, into: type[Any] | None) -> Any:
        loaded = await self._load(loads=loads, forced=forced)
        try:
            found = look_up(loaded.value, path)
        except GroupNotFound as error:
            if not loads or forced or self._was_missing(path):
                raise
            found = await self._look_up_again(path, error, loaded)
        return _convert(found, path, into)

    async def _look_up_again(self, path: str | None, error: GroupNotFound, loaded: Loaded[Facts]) -> Any:
        """Load the facts again for a missing path, and remember for a while if it is still missing."""
        reloaded = await self._reload_for(error, loaded)
        try:
            return look_up(reloaded.value, path)
        except GroupNotFound:
            self._missing_until[path] = monotonic() + _MISSING_SECONDS
            raise

    def _was_missing(self, path: str | None) -> bool:
        """Return whether a load for this path found recently that it does not exist."""
        return monotonic() < self._missing_until.get(path, 0)

    async def _load(self, *, loads: bool, forced: bool) -> Loaded[Facts]:
        loaded = self._shared.loaded
        if forced:
            return await self._shared.get(newer_than=0 if loaded is None else loaded.refreshes)
        if loaded is None and not loads:
            raise FaktsError(_NOT_LOADED)
        return await self._shared.get()

    async def _reload_for(self, missing: GroupNotFound, loaded: Loaded[Facts]) -> Loaded[Facts]:
        try:
            return await self._shared.get(newer_than=loaded.refreshes)
        except FaktsError as error:
            reason = "reloading the facts failed"
            raise GroupNotFound(missing.path, missing.existing, reason) from error

    async def _load_facts(self, forced: bool) -> Facts:
        facts = merge(await load(self._grant, LoadRequest(force_refresh=forced)), self._hard_fakts)
        for group in sorted(self._assert_groups):
            look_up(facts, group)
        return facts


def _run_blocking(function: Callable[[], Coroutine[Any, Any, M]], name: str, reason: str) -> M:
    if in_event_loop():
        raise FaktsError(f"{reason}, and loading would block the event loop of this thread: use 'await {name}(...)'")
    return run_from_sync(function)


def _convert(found: Any, path: str | None, into: type[M] | None) -> Any:
    if into is None:
        return deep_copy(found)
    from heksherlite.grants.models import structure  # noqa: PLC0415 - requires an extra

    return structure(found, path, into)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A ``with`` block, and the block that contains it."""

    fakts: Fakts
    outer: "_Entry | None"


_current: ContextVar[_Entry | None] = ContextVar("heksherlite_current_fakts", default=None)


_main: Fakts | None = None
"""The loader that is current outside of all ``with`` blocks."""


def get_current_fakts() -> Fakts:
    """Return the loader of the innermost ``with`` block around the current code, or else the main loader.

    Raises:
        NoFaktsFound: If there is neither. Threads that are started inside of a block do not belong to it, except worker
            threads of anyio, trio and ``asyncio.to_thread``.
    """
    entry = _current.get()
    if entry is not None:
        return entry.fakts
    if _main is not None:
        return _main
    raise NoFaktsFound(
        "there is no current Fakts: this code does not run inside of 'with Fakts(...)', "
        "and no loader was made the main one by set_as_main()"
    )


def _enter(fakts: Fakts) -> None:
    _current.set(_Entry(fakts, _current.get()))


def _leave(fakts: Fakts) -> None:
    _current.set(_without(fakts, _current.get()))


def _without(fakts: Fakts, entry: _Entry | None) -> _Entry | None:
    """Return the entries without the one of a block. Blocks may be left in another order than they were entered."""
    if entry is None or entry.fakts is fakts:
        return entry and entry.outer
    return _Entry(entry.fakts, _without(fakts, entry.outer))
