"""Reading facts by their paths. Facts that are missing are loaded first."""

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, overload

from cachetools import LRUCache

from heksherlite.errors import FactsShapeError, FaktsError, GroupNotFound
from heksherlite.grants.awaitable import PendingFacts, awaitable
from heksherlite.grants.event_loops import in_event_loop, run_blocking, would_block
from heksherlite.grants.facts import deep_copy, look_up
from heksherlite.grants.loads import Loads
from heksherlite.grants.start import Start

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


class _NotLoaded(Exception):  # noqa: N818 - never leaves this module
    """A read has to load facts first."""


class FactsReader(Generic[S]):
    """Reads facts, and loads them if necessary.

    Args:
        loads: The loads.
        into: The class for all facts, or ``None``.
        allow_auto_load: Whether reading facts loads them if necessary.
    """

    def __init__(self, loads: Loads[S], into: type[S] | None, *, allow_auto_load: bool) -> None:
        self._loads: Final = loads
        self._into: Final = into
        self._allow_auto_load: Final = allow_auto_load
        self._async_blocks = 0
        self._missing_until: Final[LRUCache[str | None, float]] = LRUCache(_MAX_MISSING)

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

        Inside ``async with fakts:``, a group, list, text or whole number may also be awaited, as in
        ``await fakts.get("group.key")``, unless ``into`` or the class of the loader gives the result a type. Use
        :meth:`aget` to await whatever there is.

        Raises:
            FaktsError: As for :meth:`aget`, and if facts have to be loaded in the thread of an event loop.
        """
        may_load = auto_load and self._allow_auto_load
        read = partial(self._get, path, default, may_load, force_refresh, into)
        is_typed = into is not None or (path is None and self._into is not None)
        is_awaitable = not is_typed and self._is_in_async_block()
        try:
            value = self._get_loaded(path, default, may_load, force_refresh, into)
        except _NotLoaded as reason:
            if is_awaitable:
                return PendingFacts(read, path, would_block("aget", str(reason)))
            return run_blocking(read, "aget", str(reason))
        return awaitable(value) if is_awaitable else value

    def _is_in_async_block(self) -> bool:
        """Return whether results may be awaited."""
        return self._async_blocks > 0 and in_event_loop()

    def _get_loaded(self, path: str | None, default: Any, may_load: bool, forced: bool, into: type[Any] | None) -> Any:
        """Return what a read returns without loading.

        Raises:
            _NotLoaded: If the facts have to be loaded first. The message is the reason.
        """
        loaded = self._loads.loaded
        if forced:
            raise _NotLoaded("a refresh was requested")
        if loaded is None:
            if may_load:
                raise _NotLoaded("facts are not loaded yet")
            raise FaktsError(_NOT_LOADED)
        try:
            return self._read(loaded, path, into)
        except (GroupNotFound, FactsShapeError) as error:
            is_pending = may_load and loaded.layered.is_pending
            if isinstance(error, FactsShapeError) and not is_pending:
                raise
            if not is_pending and default is not _NO_DEFAULT:
                return default
            if not is_pending and (not may_load or self._was_missing(path)):
                raise
            raise _NotLoaded(str(error)) from error

    async def _get(self, path: str | None, default: Any, may_load: bool, forced: bool, into: type[Any] | None) -> Any:
        refreshes = self._loads.refreshes  # before, so that a load by others meanwhile counts as the second one
        loaded = await self._load(may_load=may_load, forced=forced)
        for _ in range(_LAZY_LOADS if may_load else 0):
            if loaded.layered.is_pending:
                try:
                    return self._read(loaded, path, into)
                except (GroupNotFound, FactsShapeError):
                    self._loads.needs_all = True
                    refreshes = self._loads.refreshes
                    loaded = await self._loads.refresh(may_ask=False)
        try:
            return self._read(loaded, path, into)
        except GroupNotFound as error:
            if default is not _NO_DEFAULT:
                return default
            if not may_load or forced or self._was_missing(path):
                raise
            missing = error
        try:
            return self._read(await self._load_again(missing, refreshes), path, into)
        except GroupNotFound:
            self._missing_until[path] = monotonic() + _MISSING_SECONDS
            raise

    def _read(self, start: Start[S], path: str | None, into: type[Any] | None) -> Any:
        if into is not None:
            return start.read(path, into)
        if path is None and self._into is not None:
            return start.settings
        return deep_copy(look_up(start.facts, path))

    async def _load_again(self, missing: GroupNotFound, refreshes: int) -> Start[S]:
        """Load the facts again because a path is missing."""
        try:
            return await self._loads.refresh(may_ask=False, since=refreshes)
        except FaktsError as error:
            raise GroupNotFound(missing.path, missing.existing, f"reloading the facts failed: {error}") from error

    def _was_missing(self, path: str | None) -> bool:
        """Return whether a load for this path found recently that it does not exist."""
        return monotonic() < self._missing_until.get(path, 0)

    async def _load(self, *, may_load: bool, forced: bool) -> Start[S]:
        if forced:
            return await self._loads.refresh()
        if self._loads.loaded is None and not may_load:
            raise FaktsError(_NOT_LOADED)
        return await self._loads.get()
