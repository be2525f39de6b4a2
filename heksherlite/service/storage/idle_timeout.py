"""Noticing that a server has stopped to answer, though its connections are still there."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg

_GRACE_SECONDS: Final = 0.2
"""For an answer that arrived while this process, and not the server, did nothing."""


class IdleTimeout:
    """Ends a connection on which nothing happens for too long; it is then like any that was lost.

    Args:
        connection: The connection.
        seconds: For how long nothing may happen.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._suspected = False
        self._timer = self._loop.call_later(seconds, self._look)

    def restart(self) -> None:
        """Count from now on, for an answer has arrived."""
        self._since = self._loop.time()
        self._suspected = False

    def stop(self) -> None:
        """Watch no longer."""
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
    """Watch a connection within a block."""
    idle_timeout = IdleTimeout(connection, seconds)
    try:
        yield idle_timeout
    finally:
        idle_timeout.stop()
