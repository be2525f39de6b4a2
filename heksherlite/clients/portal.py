"""An event loop on a thread of its own, for synchronous code."""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal

R = TypeVar("R")


class PortalThread:
    """A thread that runs an event loop until it is stopped. It does not keep the interpreter from ending.

    Unlike :func:`anyio.from_thread.start_blocking_portal`, it holds no context manager open, which would be closed when
    it is finalized: at the end of the interpreter, or in a forked child, where there is no thread any more.
    """

    def __init__(self) -> None:
        started: Future[BlockingPortal] = Future()
        self._thread = threading.Thread(target=_run, args=(started,), name="heksherlite", daemon=True)
        self._thread.start()
        self._portal = started.result()

    @property
    def is_current(self) -> bool:
        """Whether this code runs on that thread."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[..., Awaitable[R]], *args: object) -> R:
        """Call an asynchronous function there, and return what it returns.

        Raises:
            RuntimeError: If this code runs there already, or it was stopped.
        """
        return self._portal.call(function, *args)

    def start(self, function: Callable[..., Awaitable[R]], *args: object) -> "Future[R]":
        """Start an asynchronous function there, and do not wait for it."""
        return self._portal.start_task_soon(function, *args)

    def stop(self, cleanup: Callable[[], Awaitable[object]], seconds: float) -> bool:
        """Do something last, and end the thread.

        Args:
            cleanup: What to do before.
            seconds: How long to wait. Does not wait at all if this code runs there.

        Returns:
            Whether it ended, or will.
        """
        finished = self.start(self._finish, cleanup)
        if self.is_current:
            return True
        try:
            finished.result(seconds)
        except TimeoutError:
            return False
        self._thread.join(seconds)
        return not self._thread.is_alive()

    async def _finish(self, cleanup: Callable[[], Awaitable[object]]) -> None:
        try:
            await cleanup()
        finally:
            await self._portal.stop()


def _run(started: "Future[BlockingPortal]") -> None:
    async def main() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    try:
        anyio.run(main)
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
