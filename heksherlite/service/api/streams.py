"""The open streams of changes, and the event that wakes them."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.change_feed import ChangeFeed

if TYPE_CHECKING:
    from collections.abc import Callable

_SPREAD_PER_STREAM: Final = 0.0005  # seconds; a query that follows an event takes about that long


class Streams:
    """All open streams of one process.

    Args:
        catalog: The current catalog.
        heartbeat: The time without an event after which a heartbeat is sent to detect broken connections, in seconds.

    Attributes:
        feed: The recent changes.
        count: The number of open streams.
        ended: The number of streams that have ended, by reason.
        stopping: Whether the service is stopping, and should receive no more requests.
        closed: Whether all streams have to end.
        has_room: Returns whether the process can have another stream.
    """

    def __init__(self, catalog: Catalog, *, heartbeat: float = 20.0) -> None:
        self.feed = ChangeFeed(catalog)
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
