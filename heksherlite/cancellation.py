"""Telling the cancellation of a task from an exception that a function of the program raised."""

import sys


def is_cancellation(error: BaseException) -> bool:
    """Return whether an exception cancels the current task.

    A function that awaits a task that was cancelled raises :class:`asyncio.CancelledError` although nobody cancels the
    task that it runs in.

    Args:
        error: The exception that was just caught.
    """
    trio = sys.modules.get("trio")
    if trio is not None and isinstance(error, trio.Cancelled):
        return True
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # there is no event loop here
        return False
    return task is not None and task.cancelling() > 0
