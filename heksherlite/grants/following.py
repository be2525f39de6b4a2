"""Follows the sources of facts while a program runs, in a thread of its own."""

import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from random import Random
from time import monotonic
from types import FrameType
from typing import Any, Final
from weakref import WeakSet

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectSendStream

from heksherlite.errors import FaktsError
from heksherlite.grants.event_loops import current_backend
from heksherlite.grants.watches import FileWatch, Watch
from heksherlite.http.daemon_threads import CallSoon, call_soon_in_this_loop

logger = logging.getLogger(__name__)

_SETTLE_SECONDS: Final = 0.05
"""The pause before a load, because changes come in series: files are replaced one after the other."""

_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 60.0
_JITTER: Final = 0.1
_LOOK_SECONDS: Final = 0.5
"""The interval at which the thread looks whether the program has ended."""

STOP_SECONDS: Final = 2.0
"""How long to wait for the thread to end."""


class Following:
    """Loads facts again when a source changes, at intervals, and on SIGHUP.

    Args:
        reload: Loads the facts again, bypassing all caches and without asking a person.
        watches: Returns the watches of the loaded facts.
        refresh_every: The interval in seconds, or ``None``.
        on_sighup: Whether to load the facts on SIGHUP.
        is_wanted: Whether to follow at all.
    """

    def __init__(
        self,
        reload: Callable[[], Awaitable[object]],
        watches: Callable[[], Sequence[Watch]],
        *,
        refresh_every: float | None,
        on_sighup: bool,
        is_wanted: bool,
    ) -> None:
        self._reload = reload
        self._watches = watches
        self._refresh_every = inf if refresh_every is None else refresh_every
        self._on_sighup = on_sighup
        self._is_wanted = is_wanted
        self._lock = threading.RLock()
        self._users = 0
        self._backend = "asyncio"
        self._thread: threading.Thread | None = None
        self._random = Random()  # noqa: S311 - only spreads loads
        self._failures = 0
        self._failing_since = 0.0
        self._retry_watches: Sequence[Watch] = ()
        self._call_soon: CallSoon | None = None
        self._events: MemoryObjectSendStream[bool] | None = None
        self._scope: anyio.CancelScope | None = None
        self._handlers: tuple[Any, Any] | None = None
        _all.add(self)

    @property
    def is_running(self) -> bool:
        """Whether changes are followed."""
        return self._thread is not None and self._thread.is_alive()

    def want(self) -> None:
        """Follow from now on, as long as there is a user."""
        with self._lock:
            self._is_wanted = True
            if self._users:
                self._start()

    def enter(self) -> None:
        """Add a user.

        Raises:
            RuntimeError: If SIGHUP is to be handled, and this is not the main thread.
        """
        with self._lock:
            self._backend = current_backend()  # a grant of the program may need the event loop that the program uses
            if self._is_wanted:
                self._start()
            self._users += 1

    def leave(self) -> threading.Thread | None:
        """Remove a user. Without users, nothing is followed.

        Returns:
            A thread that is about to end, or ``None``.
        """
        with self._lock:
            self._users -= 1
            if self._users:
                return None
            thread, self._thread = self._thread, None
            self._restore_sighup()
            call_soon, scope = self._call_soon, self._scope
            self._call_soon = self._events = self._scope = None
        if call_soon is not None and scope is not None:
            call_soon(scope.cancel)
        return None if thread is threading.current_thread() else thread

    def renew(self) -> None:
        """Watch the sources of the facts that were loaded now. May be called from any thread."""
        self._send(False)

    def request_reload(self) -> None:
        """Load the facts again soon. May be called from any thread and from signal handlers."""
        self._send(True)

    def restart_in_child(self) -> None:
        """Follow in a forked child too, which does not have the thread."""
        was_running = self._thread is not None
        self._lock = threading.RLock()
        self._call_soon = self._events = self._scope = self._thread = None
        if was_running:
            self._start()

    def _start(self) -> None:
        if self._thread is not None:
            return
        if self._on_sighup:
            self._handle_sighup()
        self._thread = threading.Thread(
            target=partial(anyio.run, self._run, backend=self._backend), name="heksherlite facts", daemon=True
        )
        self._thread.start()

    def _send(self, reload: bool) -> None:
        call_soon, events = self._call_soon, self._events
        if call_soon is None or events is None:
            return

        def send() -> None:
            with suppress(anyio.ClosedResourceError):  # it has stopped meanwhile
                events.send_nowait(reload)

        call_soon(send)

    def _handle_sighup(self) -> None:
        if self._handlers is not None:  # of the parent process
            return
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("refresh_on_sighup requires that the block is entered in the main thread")
        before = signal.getsignal(signal.SIGHUP)

        def handle(number: int, frame: FrameType | None) -> None:
            self.request_reload()
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGHUP, handle)
        self._handlers = handle, before

    def _restore_sighup(self) -> None:
        if self._handlers is not None:
            handler, before = self._handlers
            if signal.getsignal(signal.SIGHUP) is handler:
                signal.signal(signal.SIGHUP, before)
            self._handlers = None

    async def _run(self) -> None:
        send, receive = anyio.create_memory_object_stream[bool](inf)
        with send, receive, anyio.CancelScope() as scope:
            with self._lock:
                if self._thread is not threading.current_thread():
                    return  # it was to stop before it began
                self._scope, self._events, self._call_soon = scope, send, call_soon_in_this_loop()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_at_exit, scope)
                while True:
                    if await self._wait(send, receive.receive):
                        await anyio.sleep(_SETTLE_SECONDS)
                        await self._load()
                    while receive.statistics().current_buffer_used:  # what the load itself caused
                        receive.receive_nowait()

    async def _wait(self, send: MemoryObjectSendStream[bool], receive: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until facts should be loaded again, or other sources watched, and return which of the two."""
        reload = True
        async with anyio.create_task_group() as tasks:
            for watch in self._retry_watches if self._failures else self._watches():
                tasks.start_soon(_report, watch, send)
            with anyio.move_on_after(self._seconds()):
                reload = await receive()
            tasks.cancel_scope.cancel()
        return reload

    def _seconds(self) -> float:
        if not self._failures:
            return self._refresh_every * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        retry = _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10)
        return min(self._refresh_every, _LAST_RETRY, retry) * self._random.uniform(0.5, 1)

    async def _load(self) -> None:
        files = [watch for watch in self._watches() if isinstance(watch, FileWatch)]
        # After a failure, the loaded facts are no longer those of the files, so that their watches would not wait.
        self._retry_watches = [await anyio.to_thread.run_sync(watch.from_now) for watch in files]
        try:
            await self._reload()
        except FaktsError as error:
            reason = str(error)
            if not self._failures:
                self._failing_since = monotonic()
                logger.warning("facts cannot be refreshed: %s", reason, extra={"reason": reason})
            self._failures += 1
        except Exception as error:  # a grant of the program may raise anything
            if not self._failures:
                self._failing_since = monotonic()
                logger.exception("error in a grant: %s", type(error).__name__)
            self._failures += 1
        else:
            if self._failures:
                extra = {"times": self._failures, "seconds": round(monotonic() - self._failing_since, 3)}
                logger.info("facts can be refreshed again", extra=extra)
            self._failures = 0


async def _report(watch: Watch, send: MemoryObjectSendStream[bool]) -> None:
    try:
        await watch.wait()
    except Exception as error:  # a watch of the program may raise anything
        logger.exception("error in a watch: %s", type(error).__name__)
    else:
        send.send_nowait(True)


async def _cancel_at_exit(scope: anyio.CancelScope) -> None:
    """Cancel when the main thread has ended: the interpreter then waits for the worker threads of this event loop."""
    while threading.main_thread().is_alive():  # noqa: ASYNC110 - nothing sets an event then
        await anyio.sleep(_LOOK_SECONDS)
    scope.cancel()


_all: WeakSet[Following] = WeakSet()


def _after_fork_in_child() -> None:
    for following in list(_all):
        following.restart_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
