"""Work that outlives the task that starts it, on asyncio and trio, and that is started again if it ends."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import anyio

from heksherlite.cancellation import let_signals_pass
from heksherlite.engine.polling import Polling
from heksherlite.http.daemon_threads import call_soon_in_this_loop

logger = logging.getLogger(__name__)

_RESTART: Final = 1.0
"""The seconds that a restart waits at least. It waits longer each time that the work ends at once."""

_STEADY: Final = 60.0
"""The seconds after which work counts as running well."""


def in_task() -> bool:
    """Return whether this code runs in a task of an event loop of asyncio or trio, and not just in a callback."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        trio = sys.modules.get("trio")
        return trio is not None and trio.lowlevel.in_trio_task()


class BackgroundTasks:
    """Several tasks of the event loop. They do not form a task group: each is started again on its own.

    A child that a task group has created, and not started yet, would print a warning if the event loop ended now.

    Args:
        works: What the tasks do. The first is the one that counts for :attr:`is_running`.
    """

    def __init__(self, works: Sequence[Callable[[], Awaitable[None]]]) -> None:
        self._tasks = [BackgroundTask(work) for work in works]
        self.call_soon = self._tasks[0].call_soon

    @property
    def is_running(self) -> bool:
        """Whether the first task is running, as far as it is known here. May be asked by any thread."""
        return self._tasks[0].is_running

    @property
    def is_of_other_loop(self) -> bool:
        """Whether this code does not run in the event loop of the tasks."""
        return self._tasks[0].is_of_other_loop

    def abandon(self) -> None:
        """Cancel the tasks from another event loop, if their own is still running, and do not wait."""
        for task in self._tasks:
            task.abandon()

    async def stop(self) -> None:
        """Cancel the tasks and wait until they ended."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            await task.wait()


class BackgroundTask:
    """A task of the event loop itself, so that it can be started in one task and stopped in another.

    Create it in the event loop that it is to run in. It ends with the loop at the latest. If the work ends in another
    way than by :meth:`cancel`, this is logged, and the work is started again after a back-off.

    Args:
        work: The work. It does not return.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._polling = Polling(_RESTART, Random())  # noqa: S311 - only spreads restarts
        self._failures = 0
        self._is_stopped = False
        self._is_running = True
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self.call_soon = call_soon_in_this_loop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._trio_token: object = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            trio = sys.modules["trio"]
            self._trio_token = trio.lowlevel.current_trio_token()
            trio.lowlevel.spawn_system_task(self._run)
        else:
            self._start_in_asyncio()

    @property
    def is_running(self) -> bool:
        """Whether the work is running, as far as it is known here. May be asked by any thread."""
        return self._is_running and (self._loop is None or not self._loop.is_closed())

    @property
    def is_of_other_loop(self) -> bool:
        """Whether this code does not run in the event loop of the work."""
        try:
            return asyncio.get_running_loop() is not self._loop
        except RuntimeError:
            trio = sys.modules.get("trio")
            if trio is None or not trio.lowlevel.in_trio_run():
                return True
            return trio.lowlevel.current_trio_token() is not self._trio_token

    def abandon(self) -> None:
        """Cancel the work from another event loop, if its own is still running, and do not wait."""
        self._is_stopped = True
        self.call_soon(self._scope.cancel)

    def cancel(self) -> None:
        """Cancel the work. Call it in the event loop."""
        self._is_stopped = True
        self._scope.cancel()

    async def wait(self) -> None:
        """Wait until the work has ended."""
        if self._is_running:
            await self._ended.wait()

    def _start_in_asyncio(self) -> None:
        assert self._loop is not None  # noqa: S101 - says it to the type checker
        self._task = self._loop.create_task(self._run())
        # An event loop that is closed without cancelling its tasks would print a message about this one.
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._task.add_done_callback(self._restart_if_ended)

    async def _run(self) -> None:
        self._is_running = True
        try:
            with self._scope:
                await self._keep_working()
        finally:
            self._is_running = False
            self._ended.set()

    async def _keep_working(self) -> None:
        while True:
            started_at = anyio.current_time()
            try:
                await self._work()
                error: BaseException = RuntimeError("it returned")
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as raised:  # noqa: BLE001 - whatever it is, updates go on
                if not isinstance(raised, Exception):
                    let_signals_pass(raised)
                error = raised
            if anyio.current_time() - started_at > _STEADY:
                self._failures = 0
            seconds = self._pause()
            logger.error("heksher updates ended, and are started again", exc_info=error, extra={"after": seconds})
            await anyio.sleep(seconds)

    def _restart_if_ended(self, task: "asyncio.Task[None]") -> None:
        # The task did not get to its end if it was cancelled before its first step.
        self._is_running = False
        self._ended.set()
        # Somebody cancelled the task, perhaps all tasks of the loop, or a signal handler raised an exception, which the
        # event loop raises in the program. If the loop is about to end, nothing may start.
        has_failed = not task.cancelled() and task.exception() is not None
        if self._is_stopped or not (task.cancelled() or has_failed) or self._loop is None or self._loop.is_closed():
            return
        self._loop.call_later(self._pause(), self._restart)

    def _pause(self) -> float:
        self._failures += 1
        return max(_RESTART, self._polling.after_failure(self._failures))

    def _restart(self) -> None:
        if self._is_stopped:
            return
        logger.error("heksher updates were cancelled, and are started again")
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._start_in_asyncio()
