"""The requests that are in progress on the connections of an HTTP client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class ConnectionsClosedError(RuntimeError):
    """The connection of a request was closed by the program, as when it closes the client."""


class RequestsInProgress:
    """The requests of an HTTP client that have not ended yet.

    When a connection pool of httpcore is closed, it forgets the connections that are being made, and nothing closes
    these afterwards. So the requests have to end before the pool is closed.
    """

    def __init__(self) -> None:
        self._tasks: dict[anyio.CancelScope, int] = {}
        self._one_ended = anyio.Event()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Count the block as a request.

        Raises:
            ConnectionsClosedError: If the requests were ended meanwhile.
        """
        with anyio.CancelScope() as scope:
            self._tasks[scope] = anyio.get_current_task().id
            try:
                yield
            finally:
                del self._tasks[scope]
                self._one_ended.set()
        if scope.cancelled_caught:
            raise ConnectionsClosedError("the connections to the service were closed")

    def cancel(self) -> None:
        """End all requests, at their next step."""
        for scope in self._tasks:
            scope.cancel()

    async def end_others(self) -> None:
        """End all requests of other tasks, and wait until they have released their connections.

        This task has one if a hook of a request calls this.
        """
        this_task = anyio.get_current_task().id
        while others := [scope for scope, task in self._tasks.items() if task != this_task]:
            for scope in others:
                scope.cancel()
            self._one_ended = anyio.Event()
            await self._one_ended.wait()
