"""An event loop on a thread of its own, for synchronous code."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import Context
from math import inf
from threading import get_ident
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakSet

from heksherlite.http.native_threads import start_native_thread

R = TypeVar("R")

_LONGEST_WAIT: Final = 60.0


class PortalThread:
    """A daemon thread that runs an event loop of asyncio until it is stopped.

    No method waits longer than it is told to, whatever the event loop does. This is what
    :class:`anyio.from_thread.BlockingPortal` does not offer: it waits for the event loop to start a task.

    Raises:
        OSError: If the event loop cannot be created.
        RuntimeError: If the thread cannot be started.
    """

    def __init__(self) -> None:
        self._waiting: WeakSet[Future[Any]] = WeakSet()
        self._stopping: asyncio.Event | None = None
        self._last_task: asyncio.Task[None] | None = None
        self._ident: int | None = None
        self._ended: Future[None] = Future()
        started: Future[asyncio.AbstractEventLoop] = Future()
        start_native_thread(lambda: self._run(started), "heksherlite")
        self._loop = _result(started, None)

    @property
    def is_current(self) -> bool:
        """Whether this code runs on the thread."""
        return get_ident() == self._ident

    def call(self, function: Callable[..., Coroutine[Any, Any, R]], *args: object, timeout: float | None = None) -> R:
        """Call an asynchronous function on the thread, and return its result.

        Args:
            function: The function.
            args: Its arguments.
            timeout: The maximum number of seconds to wait; ``None`` for no limit.

        Raises:
            TimeoutError: If it takes longer. The function is cancelled.
            RuntimeError: If this code runs on the thread, or the thread was stopped.
        """
        if self.is_current:
            raise RuntimeError("a function that the client calls cannot wait for the client: it would wait for itself")
        future = self.start(function, *args)
        try:
            return _result(future, timeout)
        except CancelledError:
            raise RuntimeError("the client was closed") from None
        finally:
            future.cancel()

    def start(self, function: Callable[..., Coroutine[Any, Any, R]], *args: object) -> "Future[R]":
        """Start an asynchronous function on the thread, and do not wait for it.

        Raises:
            RuntimeError: If the thread was stopped.
        """
        coroutine = function(*args)
        try:
            # In a context of its own: in the caller's one, anyio may find trio, which runs on the caller's thread.
            future = Context().run(asyncio.run_coroutine_threadsafe, coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise RuntimeError("the client was closed") from None
        self._waiting.add(future)
        if self._ended.done():
            future.cancel()
        return future

    def stop(self, cleanup: Callable[[], Coroutine[Any, Any, object]], seconds: float) -> bool:
        """Do something last, and end the thread.

        Args:
            cleanup: What to do before.
            seconds: How long to wait. If this code runs on the thread, it does not wait.

        Returns:
            Whether the thread ended. If not, it ends as soon as the event loop gets to it.
        """
        if self.is_current:
            self._last_task = self._loop.create_task(self._finish(cleanup))
            return True
        try:
            self.start(self._finish, cleanup)
        except RuntimeError:  # it ended already
            return True
        try:
            _result(self._ended, seconds)
        except TimeoutError:
            return False
        return True

    async def _finish(self, cleanup: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await cleanup()
        finally:
            if self._stopping is not None:
                self._stopping.set()

    def _run(self, started: "Future[asyncio.AbstractEventLoop]") -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(_DaemonThreads())
            self._stopping = asyncio.Event()
            started.set_result(loop)
            await self._stopping.wait()

        self._ident = get_ident()
        try:
            with asyncio.Runner() as runner:
                runner.run(main())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            self._ended.set_result(None)
            for future in list(self._waiting):
                future.cancel()


def _result(future: "Future[R]", timeout: float | None) -> R:
    """Return the result of a future, or raise a :class:`TimeoutError` after some seconds.

    It waits with a limit each time, because gevent takes a wait without limit for a deadlock: it does not know that
    another thread of the operating system completes the future.
    """
    deadline = inf if timeout is None else monotonic() + timeout
    while True:
        try:
            return future.result(max(0.0, min(_LONGEST_WAIT, deadline - monotonic())))
        except TimeoutError:
            if future.done() or monotonic() >= deadline:
                raise


class _DaemonThreads(ThreadPoolExecutor):
    """Resolves names for an event loop, without making its end wait for a name server."""

    def submit(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> "Future[R]":
        """Call a function in a daemon thread of its own."""
        future: Future[R] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
                future.set_exception(error)
            else:
                future.set_result(result)

        start_native_thread(run, "heksherlite worker")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: daemon threads end with the interpreter."""
