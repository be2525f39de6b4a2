"""Detects a server that no longer responds although its connections are still open."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg

_GRACE_SECONDS: Final = 0.2
"""The time for a response that arrived while this process was suspended, and not the server."""


class IdleTimeout:
    """Closes a connection that has been idle for too long, as if it was lost.

    Args:
        connection: The connection.
        seconds: The maximum idle time.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._suspected = False
        self._timer = self._loop.call_later(seconds, self._look)

    def restart(self) -> None:
        """Restart the idle time, because a response has arrived."""
        self._since = self._loop.time()
        self._suspected = False

    def stop(self) -> None:
        """Stop watching the connection."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._since + self._seconds - self._loop.time()
        if left <= 0 and self._suspected:
            self._cut_off()
            return
        self._suspected = left <= 0
        self._timer = self._loop.call_later(max(left, _GRACE_SECONDS), self._look)

    def _cut_off(self) -> None:
        if not self._connection.closed:
            with socket.socket(fileno=os.dup(self._connection.fileno())) as same, suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)


@contextmanager
def close_when_idle(connection: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[IdleTimeout]:
    """Close a connection that becomes idle within a block."""
    idle_timeout = IdleTimeout(connection, seconds)
    try:
        yield idle_timeout
    finally:
        idle_timeout.stop()
