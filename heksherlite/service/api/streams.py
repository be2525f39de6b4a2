"""The open streams of changes, and the news that they wait for."""

import asyncio
from collections import Counter
from typing import Final

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.change_feed import ChangeFeed

_SPREAD_OF_A_STREAM: Final = 0.0005  # seconds; a query that follows an event takes about that long


class Streams:
    """All open streams, and what they are about.

    Args:
        catalog: The newest catalog.
        heartbeat: Seconds of silence after which something is sent, so that broken connections are noticed.

    Attributes:
        feed: What changed lately.
        count: How many streams are open.
        ended: How many have ended, by reason.
        closed: Whether the service stops.
    """

    def __init__(self, catalog: Catalog, *, heartbeat: float = 20.0) -> None:
        self.feed = ChangeFeed(catalog)
        self.heartbeat = heartbeat
        self.count = 0
        self.ended: Counter[str] = Counter()
        self.closed = False
        self._news: asyncio.Future[None] | None = None

    @property
    def spread(self) -> float:
        """Over how many seconds the queries that follow an event should be spread, so that they can be answered."""
        return round(self.count * _SPREAD_OF_A_STREAM, 4)

    @property
    def news(self) -> asyncio.Future[None]:
        """What is done at the next change; then it is another one."""
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        return self._news

    def publish(self, catalog: Catalog) -> None:
        """Tell of a newer catalog."""
        self.feed.advance(catalog)
        self._wake()

    def close(self) -> None:
        """End all streams: the service stops."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set_result(None)
            self._news = None
