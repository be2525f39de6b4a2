"""The loader: loads facts by a grant once, and returns them from memory."""

import signal
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import anyio
import anyio.to_thread

from heksherlite.errors import FaktsError, NoFaktsFound
from heksherlite.grants.awaitable import PendingFacts, awaitable
from heksherlite.grants.current import Current
from heksherlite.grants.event_loops import run_blocking, would_block
from heksherlite.grants.facts import Facts, deep_copy, find_problem, has_value, merge
from heksherlite.grants.following import STOP_SECONDS, Following
from heksherlite.grants.grant import GrantLike, as_grant
from heksherlite.grants.layers import FactsExplanation, explain
from heksherlite.grants.loads import Loads
from heksherlite.grants.reading import FactsReader, S
from heksherlite.grants.start import Start
from heksherlite.grants.status import FaktsStatus

F = TypeVar("F", bound=Callable[..., Any])


class Fakts(FactsReader[S]):
    """The start-up configuration of an application: *facts* that a grant loads.

    Facts are loaded on first use, once for all tasks and threads, and then kept in memory. Inside ``with fakts:`` and
    ``async with fakts:``, :func:`get_current_fakts` returns this loader. The loader also works outside of such blocks.

    In the thread of an event loop, the synchronous methods only return facts that are loaded already.

    Args:
        grant: The source of the facts: a grant, or an asynchronous function that takes a :class:`LoadRequest`. The
            default is the attribute ``grant`` of a subclass.
        into: The class for all facts: a dataclass, an attrs class or a pydantic model. Each load converts them, and
            fails with one error that lists every offending key and its source. ``get()`` then returns the instance.
        hard_fakts: Facts that override those of the grant.
        assert_groups: Groups that must exist after a load.
        allow_auto_load: Whether reading facts loads them if necessary.
        load_on_enter: Whether entering a ``with`` block loads the facts.
        refresh_every: The seconds between loads in the background. A tenth more or less is random.
        on_change: A function that is called with all facts, or the instance of the class, when they have changed.
        refresh_on_sighup: Whether the signal SIGHUP loads the facts again.

    The loader *follows changes* if one of the last three arguments is given or :meth:`on_change` is called, inside
    ``with`` blocks and while it is the main loader. Then a thread loads the facts again at intervals, when a file
    changes, and when an endpoint announces a change. If a load fails, the last facts stay.

    Raises:
        TypeError: If the grant is not a grant, or ``hard_fakts`` are not facts.
        ValueError: If ``refresh_every`` is not greater than 0, or this system has no SIGHUP.
    """

    def __init__(
        self,
        grant: GrantLike | None = None,
        *,
        into: type[S] | None = None,
        hard_fakts: Mapping[str, Any] | None = None,
        assert_groups: Collection[str] = frozenset(),
        allow_auto_load: bool = True,
        load_on_enter: bool = False,
        refresh_every: float | None = None,
        on_change: Callable[[S], object] | None = None,
        refresh_on_sighup: bool = False,
    ) -> None:
        if isinstance(assert_groups, str):
            raise TypeError("assert_groups must be a collection of names, not a string")
        if problem := find_problem(hard_fakts or {}):
            raise TypeError(f"invalid hard_fakts: {problem}")
        if refresh_every is not None and not refresh_every > 0:
            raise ValueError(f"refresh_every must be greater than 0, not {refresh_every!r}")
        if refresh_on_sighup and not hasattr(signal, "SIGHUP"):
            raise ValueError("this system has no SIGHUP; omit refresh_on_sighup")
        grant = getattr(type(self), "grant", None) if grant is None else grant
        if grant is None:
            raise TypeError("Fakts needs a grant: pass one, or set the attribute 'grant' of a subclass")
        self._grant: Final = as_grant(grant)
        self._load_on_enter: Final = load_on_enter
        self._following: Final = Following(
            lambda: self._loads.refresh(may_ask=False),
            lambda: self._loads.watches,
            refresh_every=refresh_every,
            on_sighup=refresh_on_sighup,
            is_wanted=refresh_every is not None or refresh_on_sighup,
        )
        loads = Loads(
            self._grant,
            into,
            merge(hard_fakts or {}),
            frozenset(assert_groups),
            refresh_every,
            self._following.renew,
        )
        super().__init__(loads, into, allow_auto_load=allow_auto_load)
        if on_change is not None:
            self.on_change()(on_change)

    def __repr__(self) -> str:
        return f"<Fakts of {self._grant!r}, {'not ' if self._loads.loaded is None else ''}loaded>"

    async def aload(self, *, force_refresh: bool = False, may_ask: bool = True) -> Facts:
        """Load the facts unless they are loaded, and return all of them as a dictionary.

        Args:
            force_refresh: Whether to load them in any case, bypassing all caches.
            may_ask: Whether a grant may ask a person.

        Raises:
            GrantError: If loading fails. Facts that were loaded before are kept.
            GroupNotFound: If ``assert_groups`` do not exist. Facts that were loaded before are kept.
            FactsShapeError: If the facts do not fit the class of the loader. Facts that were loaded before are kept.
        """
        if not may_ask and (force_refresh or self._loads.loaded is None):
            return _copy_of(await self._loads.refresh(may_ask=False))
        return _copy_of(await self._load(may_load=True, forced=force_refresh))

    def load(self, *, force_refresh: bool = False, may_ask: bool = True) -> Facts:
        """Load the facts in synchronous code, otherwise as :meth:`aload` does.

        Inside ``async with fakts:``, it may be awaited.

        Raises:
            FaktsError: As for :meth:`aload`, and if facts have to be loaded in the thread of an event loop.
        """
        loaded = self._loads.loaded
        if loaded is not None and not force_refresh:
            facts: Facts = awaitable(_copy_of(loaded)) if self._is_in_async_block() else _copy_of(loaded)
            return facts
        reason = "facts are not loaded yet" if loaded is None else "it was to be loaded again"
        load = partial(self.aload, force_refresh=force_refresh, may_ask=may_ask)
        if self._is_in_async_block():
            return cast("Facts", PendingFacts(load, None, would_block("aload", reason)))
        return run_blocking(load, "aload", reason)

    async def arefresh(self) -> Facts:
        """Load the facts again, bypassing all caches, and return all of them. Raises what :meth:`aload` raises."""
        return await self.aload(force_refresh=True)

    def refresh(self) -> Facts:
        """Load the facts again in synchronous code, otherwise as :meth:`arefresh` does."""
        return self.load(force_refresh=True)

    def explain(self, path: str | None = None) -> FactsExplanation:
        """Return where the loaded facts are from: for each value, every source that has one, and which of them wins.

        Print it to read it. Secrets are masked.

        Args:
            path: The path to explain, or ``None`` for all facts.

        Raises:
            FaktsError: If the facts are not loaded.
            GroupNotFound: If no source has anything at the path.
        """
        loaded = self._loads.loaded
        if loaded is None:
            raise FaktsError("facts are not loaded: call load() or aload() before explain()")
        return explain(loaded.layered, path)

    def has_changed(self, value: object, path: str | None = None) -> bool:
        """Return whether a value that was read earlier differs from the loaded facts, or no facts are loaded.

        Args:
            value: The value that was read.
            path: The path that it was read from.
        """
        loaded = self._loads.loaded
        return loaded is None or not has_value(loaded.facts, path, value)

    @property
    def status(self) -> FaktsStatus:
        """How old the facts are, and whether they can be loaded."""
        return self._loads.record.status(is_following=self._following.is_running)

    def on_change(self, path: str | None = None, *, follow: bool = True) -> Callable[[F], F]:
        """Return a decorator for a function that is called when a load has changed the value at a path.

        The function, which may be a coroutine function, is called without any lock after each load that changed the
        value, whoever requested it: in the thread that follows changes, or in the thread or event loop that loaded. An
        exception that it raises is logged, once for each function.

        Args:
            path: The path, or ``None`` for all facts. The function is called with the new value, or ``None`` if
                there is none any more.
            follow: Whether the loader follows changes from now on. With ``False``, the function is still called after
                loads that others request.
        """

        def add(function: F) -> F:
            added = self._loads.listeners.add(path, function)
            if follow:
                self._following.want()
            return added

        return add

    def remove_on_change(self, function: Callable[..., Any]) -> None:
        """Remove a function that was added with :meth:`on_change`.

        Raises:
            ValueError: If it was not added, or was removed already.
        """
        self._loads.listeners.remove(function)

    def set_as_main(self) -> None:
        """Make this the loader that :func:`get_current_fakts` returns outside of all ``with`` blocks.

        It is the loader for the whole process, including all threads, and event loops and handlers of a web framework.
        It replaces any earlier main loader.
        """
        if _current.main is not self:
            self._following.enter()
            if _current.main is not None:
                _current.main.unset_as_main()
            _current.main = self

    def unset_as_main(self) -> None:
        """Undo :meth:`set_as_main`. Nothing happens if this is not the main loader."""
        if _current.main is self:
            _current.main = None
            self._following.leave()

    def enter(self) -> Self:
        """Enter without a block, for notebooks and programs with a window, and return this loader.

        It becomes the main loader too, so that the code of later cells and of event handlers finds it.
        """
        self.__enter__()
        self.set_as_main()
        return self

    def exit(self) -> None:
        """Undo :meth:`enter`."""
        self.unset_as_main()
        self.__exit__(None, None, None)

    async def aenter(self) -> Self:
        """Enter without a block in asynchronous code, otherwise as :meth:`enter` does."""
        await self.__aenter__()
        self.set_as_main()
        return self

    async def aexit(self) -> None:
        """Undo :meth:`aenter`."""
        self.unset_as_main()
        await self.__aexit__(None, None, None)

    @property
    def loaded_fakts(self) -> Facts:
        """A copy of the facts that are loaded. It is empty if none are."""
        return {} if self._loads.loaded is None else _copy_of(self._loads.loaded)

    def __enter__(self) -> Self:
        if self._load_on_enter:
            self.load()
        self._following.enter()
        _current.enter(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.leave(self)
        if thread := self._following.leave():
            thread.join(STOP_SECONDS)

    async def __aenter__(self) -> Self:
        if self._load_on_enter:
            await self.aload()
        self._following.enter()
        _current.enter(self)
        self._async_blocks += 1
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._async_blocks -= 1
        _current.leave(self)
        if thread := self._following.leave():
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(thread.join, STOP_SECONDS)


_current: Final[Current[Fakts[Any]]] = Current("heksherlite_current_fakts")


def get_current_fakts() -> Fakts[Any]:
    """Return the loader of the innermost ``with`` block around the current code, or else the main loader.

    Raises:
        NoFaktsFound: If there is neither. Threads that are started inside of a block do not belong to it, except worker
            threads of anyio, trio and ``asyncio.to_thread``.
    """
    fakts = _current.get()
    if fakts is None:
        raise NoFaktsFound(
            "there is no current Fakts: this code does not run inside of 'with Fakts(...)', "
            "and no loader was made the main one by set_as_main()"
        )
    return fakts


def _copy_of(start: Start[Any]) -> Facts:
    facts: Facts = deep_copy(start.facts)
    return facts
