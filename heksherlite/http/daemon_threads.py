"""Threads that do not keep the interpreter from ending, for work that blocks.

The worker threads of :func:`anyio.to_thread.run_sync` do: the interpreter waits for them at its end, and an event loop
on a daemon thread never ends them.
"""

import asyncio
import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

import anyio

from heksherlite.http.native_threads import start_native_thread

R = TypeVar("R")

CallSoon = Callable[[Callable[[], Any]], None]
"""Has a function called in an event loop, from any thread. Does nothing if the loop has ended."""


def call_soon_in_this_loop() -> CallSoon:
    """Return a function that has functions called in the event loop that this code runs in, of asyncio or trio."""
    call: Callable[[Callable[[], Any]], Any]
    try:
        call = asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        call = sys.modules["trio"].lowlevel.current_trio_token().run_sync_soon

    def call_soon(function: Callable[[], Any]) -> None:
        try:
            call(function)
        except RuntimeError:  # the loop is closed; trio's RunFinishedError is a RuntimeError too
            return

    return call_soon


async def run_in_daemon_thread(function: Callable[..., R], *args: object) -> R:
    """Call a function that blocks in a daemon thread, and return its result. Cancellation abandons the thread.

    Args:
        function: The function.
        args: Its arguments.

    Raises:
        BaseException: What the function raises.
        RuntimeError: If no thread can be started.
    """
    call_soon = call_soon_in_this_loop()
    finished = anyio.Event()
    results: list[R] = []
    errors: list[BaseException] = []
    context = copy_context()

    def run() -> None:
        try:
            results.append(context.run(function, *args))
        except BaseException as error:  # noqa: BLE001 - raised in the event loop
            errors.append(error)
        call_soon(finished.set)

    start_native_thread(run, "heksherlite worker")
    await finished.wait()
    for error in errors:
        raise error
    return results[0]
