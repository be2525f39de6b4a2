"""Receives notifications of the writes of other replicas, with PostgreSQL's LISTEN."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from typing import Any, Final

import psycopg

_LISTEN: Final = "LISTEN heksherlite"

_PAUSE_SECONDS: Final = 1.0
"""The time between attempts to connect. Without a connection, writes are noticed by polling."""

_logger = logging.getLogger(__name__)


class Notifications:
    """Sets an event after each write of another replica. A lost connection is opened again.

    Args:
        connect: Opens a connection.
        heard: Set by each notification, and when a notification may have been missed.
        own: The server's process ids of the service's own connections. Their notifications are ignored.
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
        """Start to listen, if that has not happened yet. Must be called in an event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening and close the connection."""
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
                reason = " ".join(str(error).split())
                _logger.debug("the connection for notifications is lost: %s", reason, extra={"reason": reason})
                self._heard.set()
            await asyncio.sleep(_PAUSE_SECONDS)
