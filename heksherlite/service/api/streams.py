"""The open streams of changes, and the event that wakes them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from heksherlite.service.domain.access.state import AccessState
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.change_feed import ChangeFeed
from heksherlite.service.domain.counters import Counters

_SPREAD_PER_STREAM: Final = 0.0005  # seconds; a query that follows an event takes about that long


class LatestAccess:
    """The access state of the newest catalog, read once for all streams that ask for it.

    Args:
        read: Reads the stored state.
        counters: Returns the counters of the newest catalog.
    """

    def __init__(self, read: Callable[[], Awaitable[AccessState]], counters: Callable[[], Counters]) -> None:
        self._read = read
        self._counters = counters
        self._read_at: tuple[object, ...] = ()
        self._reading: asyncio.Task[AccessState] | None = None

    async def get(self) -> AccessState:
        """Return the state.

        Raises:
            DatabaseUnavailableError: It cannot be read.
        """
        counters = self._counters()
        at = counters.database_id, counters.access_id
        if self._reading is None or at != self._read_at or _has_failed(self._reading):
            self._read_at = at
            self._reading = asyncio.create_task(self._read_state())
        return await asyncio.shield(self._reading)

    async def _read_state(self) -> AccessState:
        return await self._read()


def _has_failed(task: asyncio.Task[AccessState]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


class Streams:
    """All open streams of one process.

    Args:
        catalog: The current catalog.
        read_access: Reads the stored access state.
        heartbeat: The time without an event after which a heartbeat is sent to detect broken connections, in seconds.

    Attributes:
        feed: The recent changes.
        latest_access: The access state of the newest catalog.
        count: The number of open streams.
        ended: The number of streams that have ended, by reason.
        stopping: Whether the service is stopping, and should receive no more requests.
        closed: Whether all streams have to end.
        has_room: Returns whether the process can have another stream.
    """

    def __init__(
        self, catalog: Catalog, read_access: Callable[[], Awaitable[AccessState]], *, heartbeat: float = 20.0
    ) -> None:
        self.feed = ChangeFeed(catalog)
        self.latest_access = LatestAccess(read_access, lambda: self.feed.catalog.counters)
        self.heartbeat = heartbeat
        self.count = 0
        self.ended: Counter[str] = Counter()
        self.stopping = False
        self.closed = False
        self.has_room: Callable[[], bool] = lambda: True
        self._next_change: asyncio.Future[None] | None = None

    @property
    def spread(self) -> float:
        """The time over which clients should spread the queries that follow an event, in seconds."""
        return round(self.count * _SPREAD_PER_STREAM, 4)

    @property
    def next_change(self) -> asyncio.Future[None]:
        """A future that is done at the next change, and is then replaced by a new one."""
        if self._next_change is None:
            self._next_change = asyncio.get_running_loop().create_future()
        return self._next_change

    def publish(self, catalog: Catalog) -> None:
        """Publish a newer catalog."""
        self.feed.advance(catalog)
        self._wake_up()

    def close(self) -> None:
        """End all streams, because the service is stopping."""
        self.stopping = self.closed = True
        self._wake_up()

    def _wake_up(self) -> None:
        if self._next_change is not None:
            self._next_change.set_result(None)
            self._next_change = None
