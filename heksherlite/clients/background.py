"""Work that outlives the task that starts it, on asyncio and trio."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio


def in_task() -> bool:
    """Tell whether this code runs in a task of an event loop, of asyncio or of trio, and not just in a callback."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        trio = sys.modules.get("trio")
        return trio is not None and trio.lowlevel.in_trio_task()


class BackgroundTask:
    """A task of the event loop itself, so that it can be started in one task and stopped in another.

    Make it in the event loop that it is to run in. It ends with the loop at the latest.

    Args:
        work: What to do; it must handle its own exceptions.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio  # noqa: PLC0415 - only here when it is running already

            self._call_soon: Callable[[Callable[[], Any]], Any] = trio.lowlevel.current_trio_token().run_sync_soon
            trio.lowlevel.spawn_system_task(self._run)
        else:
            self._call_soon = loop.call_soon_threadsafe
            self._task = loop.create_task(self._run())

    def call_soon(self, function: Callable[[], Any]) -> None:
        """Have a function called in the event loop, from whatever thread. Does nothing if the loop has ended."""
        try:
            self._call_soon(function)
        except RuntimeError:  # the loop is closed, which trio's RunFinishedError is one for too
            return

    async def stop(self) -> None:
        """Cancel the work and wait until it ended."""
        self._scope.cancel()
        await self._ended.wait()

    async def _run(self) -> None:
        try:
            with self._scope:
                await self._work()
        finally:
            self._ended.set()
