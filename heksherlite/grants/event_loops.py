"""What threads and event loops do to each other, on asyncio and on trio."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.from_thread

if TYPE_CHECKING:
    from concurrent.futures import Future

R = TypeVar("R")


def in_event_loop() -> bool:
    """Tell whether this code runs in an event loop's own thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return trio is not None and trio.lowlevel.in_trio_run()
    return True


def run_from_sync(function: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Call an asynchronous function from synchronous code: in the event loop that waits for this worker thread, if any.

    Otherwise it has an event loop of its own. Must not be called in an event loop's thread.
    """
    try:
        anyio.from_thread.check_cancelled()
    except RuntimeError:  # no event loop waits for this thread
        return anyio.run(function)
    return anyio.from_thread.run(function)


async def wait_for(future: "Future[Any]") -> None:
    """Wait until a future is done, in whatever thread that happens."""
    done = anyio.Event()
    call_soon = _call_soon_here()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, which trio's RunFinishedError is one for too
            call_soon(done.set)

    future.add_done_callback(wake)
    await done.wait()


def _call_soon_here() -> Callable[[Callable[[], object]], object]:
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 - only here when it is running already

        return trio.lowlevel.current_trio_token().run_sync_soon
