"""Hearing of the writes of other replicas, by PostgreSQL's LISTEN."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from typing import Any, Final

import psycopg

_LISTEN: Final = "LISTEN heksherlite"

_PAUSE_SECONDS: Final = 1.0
"""Between attempts to connect. Until there is a connection, writes are noticed by looking for them."""

_logger = logging.getLogger(__name__)


class Notifications:
    """A connection that sets an event whenever somebody wrote, and is made again when it is lost.

    Args:
        connect: Opens a connection.
        heard: Set with each notification, and when one may have been missed.
        own: The server's process ids of our connections, whose notifications are no news.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        heard: asyncio.Event,
        own: Container[int],
    ) -> None:
        self._connect = connect
        self._heard = heard
        self._own = own
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, unless that has been done; this needs a running event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop to listen and close the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(_LISTEN)
                    self._heard.set()
                    async for notification in connection.notifies():
                        if notification.pid not in self._own:
                            self._heard.set()
            except psycopg.Error as error:
                _logger.debug("the connection for notifications is lost", extra={"reason": str(error)})
                self._heard.set()
            await asyncio.sleep(_PAUSE_SECONDS)
