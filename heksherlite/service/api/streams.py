"""The open streams of changes, and the news that they wait for."""

import asyncio
from contextlib import suppress
from typing import Final

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.change_feed import ChangeFeed

_SPREAD_OF_A_STREAM: Final = 0.0005  # seconds; a query that follows an event takes about that long


class Streams:
    """All open streams, and what they are about.

    Args:
        catalog: The newest catalog.
        heartbeat: Seconds of silence after which something is sent, so that broken connections are noticed.
    """

    def __init__(self, catalog: Catalog, *, heartbeat: float = 20.0) -> None:
        self.feed = ChangeFeed(catalog)
        self.heartbeat = heartbeat
        self.count = 0
        self.closed = False
        self._news = asyncio.Event()

    @property
    def spread(self) -> float:
        """Over how many seconds the queries that follow an event should be spread, so that they can be answered."""
        return round(self.count * _SPREAD_OF_A_STREAM, 4)

    def publish(self, catalog: Catalog) -> None:
        """Tell of a newer catalog."""
        self.feed.advance(catalog)
        self._wake()

    def close(self) -> None:
        """End all streams: the service stops."""
        self.closed = True
        self._wake()

    async def wait(self) -> bool:
        """Wait for news; return whether there are any before the heartbeat is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.heartbeat):
                return await self._news.wait()
        return False

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
