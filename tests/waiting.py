"""Wait for a condition instead of sleeping for a fixed time."""

import time
from collections.abc import Callable

import anyio

SECONDS = 60.0
"""The longest wait. What tests wait for takes milliseconds on an idle machine, and seconds on a busy one."""

_PAUSE = 0.005


def until(condition: Callable[[], object]) -> None:
    """Return as soon as a condition is true.

    Raises:
        TimeoutError: The condition is still false after `SECONDS`.
    """
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(_message(condition))
        time.sleep(_PAUSE)


async def until_async(condition: Callable[[], object]) -> None:
    """Return as soon as a condition is true, and let other tasks run meanwhile.

    Raises:
        TimeoutError: The condition is still false after `SECONDS`.
    """
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(_message(condition))
        await anyio.sleep(_PAUSE)


def _message(condition: Callable[[], object]) -> str:
    code = getattr(condition, "__code__", None)
    place = repr(condition) if code is None else f"the condition at {code.co_filename}:{code.co_firstlineno}"
    return f"{place} is still false after {SECONDS:g} s"
