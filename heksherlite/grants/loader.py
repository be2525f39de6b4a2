"""The loader: loads facts by a grant once, and returns them from memory."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, overload

from cachetools import LRUCache

from heksherlite.errors import FactsShapeError, FaktsError, GroupNotFound, NoFaktsFound
from heksherlite.grants.current import Current
from heksherlite.grants.event_loops import in_event_loop, run_from_sync
from heksherlite.grants.facts import Facts, deep_copy, find_problem, has_value, look_up, merge
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import FactsExplanation, Layer, LayeredFacts, explain
from heksherlite.grants.loading import Loaded, SharedLoad
from heksherlite.grants.start import Start, check

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # which has a default, before Python 3.13

    S = TypeVar("S", default=Any)
else:
    from typing import TypeVar

    S = TypeVar("S")
M = TypeVar("M")
D = TypeVar("D")

_NO_DEFAULT: Final[Any] = object()

_MISSING_SECONDS: Final = 60.0
"""The time for which a missing path does not cause another load."""

_MAX_MISSING: Final = 1000
"""The maximum number of missing paths that are remembered."""

_LAZY_LOADS: Final = 2
"""The maximum number of loads for a lazy layer. One that began before does not load it."""

_NOT_LOADED: Final = "facts are not loaded, and auto_load is off: call load() or aload() first"


class Fakts(Generic[S]):
    """The start-up configuration of an application: *facts* that a grant loads.

    Facts are loaded on first use, once for all tasks and threads, and then kept in memory. Inside ``with fakts:`` and
    ``async with fakts:``, :func:`get_current_fakts` returns this loader. The loader also works outside of such blocks.

    In the thread of an event loop, the synchronous methods only return facts that are loaded already.

    Args:
        grant: The source of the facts: a grant, or an asynchronous function that takes a :class:`LoadRequest`.
        into: The class for all facts: a dataclass, an attrs class or a pydantic model. Each load converts them, and
            fails with one error that lists every offending key and its source. ``get()`` then returns the instance.
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
        into: type[S] | None = None,
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
        self._into: Final = into
        self._hard_fakts: Final = merge(hard_fakts or {})
        self._assert_groups: Final = frozenset(assert_groups)
        self._allow_auto_load: Final = allow_auto_load
        self._load_on_enter: Final = load_on_enter
        self._needs_all = False
        self._missing_until: Final[LRUCache[str | None, float]] = LRUCache(_MAX_MISSING)
        self._shared: Final = SharedLoad[Start[S]](self._load_facts)

    def __repr__(self) -> str:
        return f"<Fakts of {self._grant!r}, {'not ' if self._shared.loaded is None else ''}loaded>"

    @overload
    async def aget(
        self, path: None = None, *, auto_load: bool = True, force_refresh: bool = False, into: None = None
    ) -> S: ...

    @overload
    async def aget(
        self,
        path: str | None = None,
        *,
        default: Any = ...,
        auto_load: bool = True,
        force_refresh: bool = False,
        into: None = None,
    ) -> Any: ...

    @overload
    async def aget(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M: ...

    @overload
    async def aget(
        self, path: str, *, default: D, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M | D: ...

    async def aget(
        self,
        path: str | None = None,
        *,
        default: Any = _NO_DEFAULT,
        auto_load: bool = True,
        force_refresh: bool = False,
        into: type[Any] | None = None,
    ) -> Any:
        """Return a copy of a group, or of any value below one.

        Secret texts are strings whose ``repr`` is masked, so that ``print(fakts.get())`` does not display them.

        Args:
            path: Keys separated by dots, such as ``group.key``, or ``None`` for all facts: a dictionary, or an instance
                of the class of the loader.
            default: What to return if the path does not exist. Then the facts are not loaded again.
            auto_load: Whether to load the facts if they are not loaded, and once more if the path does not exist. A
                path that was missing after that does not cause another load for a minute.
            force_refresh: Whether to load the facts in any case, bypassing all caches.
            into: The type to convert the value to: ``int``, ``timedelta`` and the like, or a dataclass, an attrs class,
                ``list[int]`` and the like (``heksherlite[models]``), or a pydantic model.

        Raises:
            GroupNotFound: If the path does not exist, even after one forced load.
            FaktsError: If the facts are not loaded, and loading is not allowed.
            FactsShapeError: If the value does not fit the class.
            GrantError: If loading fails.
        """
        return await self._get(path, default, auto_load and self._allow_auto_load, force_refresh, into)

    @overload
    def get(
        self, path: None = None, *, auto_load: bool = True, force_refresh: bool = False, into: None = None
    ) -> S: ...

    @overload
    def get(
        self,
        path: str | None = None,
        *,
        default: Any = ...,
        auto_load: bool = True,
        force_refresh: bool = False,
        into: None = None,
    ) -> Any: ...

    @overload
    def get(
        self, path: str | None = None, *, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M: ...

    @overload
    def get(
        self, path: str, *, default: D, auto_load: bool = True, force_refresh: bool = False, into: type[M]
    ) -> M | D: ...

    def get(
        self,
        path: str | None = None,
        *,
        default: Any = _NO_DEFAULT,
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
                return self._read(loaded, path, into)
            except (GroupNotFound, FactsShapeError) as error:
                if not (loads and loaded.value.layered.is_pending):
                    if isinstance(error, FactsShapeError):
                        raise
                    if default is not _NO_DEFAULT:
                        return default
                    if not loads or self._was_missing(path):
                        raise
                reason = str(error)
        elif loads:
            reason = "facts are not loaded yet"
        else:
            raise FaktsError(_NOT_LOADED)
        return _run_blocking(partial(self._get, path, default, loads, force_refresh, into), "aget", reason)

    async def aload(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts unless they are loaded, and return all of them as a dictionary.

        Args:
            force_refresh: Whether to load them in any case, bypassing all caches.

        Raises:
            GrantError: If loading fails. Facts that were loaded before are kept.
            GroupNotFound: If ``assert_groups`` do not exist. Facts that were loaded before are kept.
            FactsShapeError: If the facts do not fit the class of the loader. Facts that were loaded before are kept.
        """
        return _copy_of((await self._load(loads=True, forced=force_refresh)).value)

    def load(self, *, force_refresh: bool = False) -> Facts:
        """Load the facts in synchronous code, otherwise as :meth:`aload` does."""
        if self._shared.loaded is not None and not force_refresh:
            return _copy_of(self._shared.loaded.value)
        reason = "facts are not loaded yet" if self._shared.loaded is None else "it was to be loaded again"
        return _run_blocking(partial(self.aload, force_refresh=force_refresh), "aload", reason)

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
        loaded = self._shared.loaded
        if loaded is None:
            raise FaktsError("facts are not loaded: call load() or aload() before explain()")
        return explain(loaded.value.layered, path)

    def has_changed(self, value: object, path: str | None = None) -> bool:
        """Return whether a value that was read earlier differs from the loaded facts, or no facts are loaded.

        Args:
            value: The value that was read.
            path: The path that it was read from.
        """
        loaded = self._shared.loaded
        return loaded is None or not has_value(loaded.value.facts, path, value)

    def set_as_main(self) -> None:
        """Make this the loader that :func:`get_current_fakts` returns outside of all ``with`` blocks.

        It is the loader for the whole process, including all threads, and event loops and handlers of a web framework.
        It replaces any earlier main loader.
        """
        _current.main = self

    def unset_as_main(self) -> None:
        """Undo :meth:`set_as_main`. Nothing happens if this is not the main loader."""
        if _current.main is self:
            _current.main = None

    def __enter__(self) -> Self:
        if self._load_on_enter:
            self.load()
        _current.enter(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.leave(self)

    async def __aenter__(self) -> Self:
        if self._load_on_enter:
            await self.aload()
        _current.enter(self)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.leave(self)

    async def _get(self, path: str | None, default: Any, loads: bool, forced: bool, into: type[Any] | None) -> Any:
        loaded = await self._load(loads=loads, forced=forced)
        for _ in range(_LAZY_LOADS if loads else 0):
            if loaded.value.layered.is_pending:
                try:
                    return self._read(loaded, path, into)
                except (GroupNotFound, FactsShapeError):
                    self._needs_all = True
                    loaded = await self._shared.get(newer_than=loaded.refreshes, may_ask=False)
        try:
            return self._read(loaded, path, into)
        except GroupNotFound as error:
            if default is not _NO_DEFAULT:
                return default
            if not loads or forced or self._was_missing(path):
                raise
            return await self._read_again(path, into, error, loaded)

    def _read(self, loaded: Loaded[Start[S]], path: str | None, into: type[Any] | None) -> Any:
        start = loaded.value
        if into is not None:
            return start.read(path, into)
        if path is None and self._into is not None:
            return start.settings
        return deep_copy(look_up(start.facts, path))

    async def _read_again(
        self, path: str | None, into: type[Any] | None, missing: GroupNotFound, loaded: Loaded[Start[S]]
    ) -> Any:
        """Load the facts again for a missing path, and remember for a while if it is still missing."""
        try:
            reloaded = await self._shared.get(newer_than=loaded.refreshes, may_ask=False)
        except FaktsError as error:
            self._missing_until[path] = monotonic() + _MISSING_SECONDS
            raise GroupNotFound(missing.path, missing.existing, "reloading the facts failed") from error
        try:
            return self._read(reloaded, path, into)
        except GroupNotFound:
            self._missing_until[path] = monotonic() + _MISSING_SECONDS
            raise

    def _was_missing(self, path: str | None) -> bool:
        """Return whether a load for this path found recently that it does not exist."""
        return monotonic() < self._missing_until.get(path, 0)

    async def _load(self, *, loads: bool, forced: bool) -> Loaded[Start[S]]:
        loaded = self._shared.loaded
        if forced:
            return await self._shared.get(newer_than=0 if loaded is None else loaded.refreshes)
        if loaded is None and not loads:
            raise FaktsError(_NOT_LOADED)
        return await self._shared.get()

    async def _load_facts(self, request: LoadRequest) -> Start[S]:
        facts = await self._load_layers(replace(request, needs_all=self._needs_all))
        try:
            return check(facts, self._assert_groups, self._into)
        except (GroupNotFound, FactsShapeError):
            if not facts.is_pending:
                raise
        self._needs_all = True
        return check(await self._load_layers(replace(request, needs_all=True)), self._assert_groups, self._into)

    async def _load_layers(self, request: LoadRequest) -> LayeredFacts:
        facts = await load(self._grant, request)
        hard = [Layer(source="hard_fakts", facts=self._hard_fakts)] if self._hard_fakts else []
        return LayeredFacts([*facts.layers, *hard])


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


def _run_blocking(function: Callable[[], Coroutine[Any, Any, M]], name: str, reason: str) -> M:
    if in_event_loop():
        raise FaktsError(f"{reason}, and loading would block the event loop of this thread: use 'await {name}(...)'")
    return run_from_sync(function)
