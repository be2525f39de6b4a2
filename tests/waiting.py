"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

import anyio

SECONDS = 30.0
"""How long to wait for what takes milliseconds on an idle machine."""


def until(condition: Callable[[], object]) -> None:
    """Return as soon as a condition holds.

    Raises:
        TimeoutError: If it does not in time.
    """
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {SECONDS} s, this does not hold: {condition}")
        time.sleep(0.002)


async def until_async(condition: Callable[[], object]) -> None:
    """Do the same as :func:`until`, and let other tasks run."""
    with anyio.fail_after(SECONDS):
        while not condition():  # noqa: ASYNC110 - a condition has no event
            await anyio.sleep(0.002)
