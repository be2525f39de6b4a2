"""Synchronization between threads and event loops of asyncio and trio."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.from_thread

from heksherlite.errors import FaktsError

if TYPE_CHECKING:
    from concurrent.futures import Future

R = TypeVar("R")


def in_event_loop() -> bool:
    """Return whether the current code runs in the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return trio is not None and trio.lowlevel.in_trio_run()
    return True


def current_backend() -> str:
    """Return the event loop that runs in this thread, ``"asyncio"`` or ``"trio"``, or the default one."""
    trio = sys.modules.get("trio")
    return "trio" if trio is not None and trio.lowlevel.in_trio_run() else "asyncio"


def run_from_sync(function: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Call an asynchronous function from synchronous code.

    It runs in the event loop that waits for this worker thread, or in a new event loop. This function must not be
    called in the thread of an event loop.
    """
    try:
        anyio.from_thread.check_cancelled()
    except RuntimeError:  # no event loop waits for this thread
        context = copy_context()
        if sniffio := sys.modules.get("sniffio"):  # asyncio.to_thread copies the context of an event loop
            context.run(sniffio.current_async_library_cvar.set, None)
        return context.run(anyio.run, function)
    return anyio.from_thread.run(function)


def run_blocking(function: Callable[[], Coroutine[Any, Any, R]], name: str, reason: str) -> R:
    """Call an asynchronous function from synchronous code, unless that would block an event loop.

    Args:
        function: The function.
        name: The name of the asynchronous method that does the same, for the error.
        reason: Why it is called, for the error.

    Raises:
        FaktsError: If this is the thread of an event loop.
    """
    if in_event_loop():
        raise FaktsError(would_block(name, reason))
    return run_from_sync(function)


def would_block(name: str, reason: str) -> str:
    """Return the message for a call in the thread of an event loop that has to load."""
    return f"{reason}, and loading would block the event loop of this thread: use 'await {name}(...)'"


async def wait_for(future: "Future[Any]") -> None:
    """Wait until a future is done. Any thread may complete it."""
    done = anyio.Event()
    call_soon = _current_call_soon()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the event loop is closed; RunFinishedError of trio is a RuntimeError
            call_soon(done.set)

    future.add_done_callback(wake)
    await done.wait()


def _current_call_soon() -> Callable[[Callable[[], object]], object]:
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 - trio is running here, so it is imported already

        return trio.lowlevel.current_trio_token().run_sync_soon
