"""Telling exceptions that must pass from those that a function of the program raised."""

import sys
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any


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


def let_signals_pass(error: BaseException) -> None:
    """Raise the exception of a signal handler, if this is one or was caused by one. It is meant for the program.

    Python runs the handler of a signal between any two steps of the main thread, so what the handler raises appears in
    whatever code happens to run there. Call this first wherever any exception is caught.

    Args:
        error: The exception that was just caught.
    """
    raised = _of_signal_handler(error)
    if raised is not None:
        raise raised


def _of_signal_handler(error: BaseException) -> BaseException | None:
    from threading import current_thread, main_thread  # noqa: PLC0415 - only needed when something fails

    if current_thread() is not main_thread():  # signal handlers run in the main thread only
        return None
    handlers = _handler_codes()
    return next((part for part in _parts(error) if _is_of_handler(part, handlers)), None)


def _parts(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes, and those that it groups."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _parts(part)
        error = error.__cause__


def _is_of_handler(error: BaseException, handlers: frozenset[CodeType]) -> bool:
    import signal  # noqa: PLC0415

    innermost: TracebackType | None = None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in handlers:
            return True
        innermost, traceback = traceback, traceback.tb_next
    # The default handler of SIGINT is no Python function, so it has no frame. What has one was raised by a statement.
    return (
        isinstance(error, KeyboardInterrupt)
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        and innermost is not None
        and not _raises_here(innermost.tb_frame, innermost.tb_lasti)
    )


def _raises_here(frame: FrameType, position: int) -> bool:
    from opcode import opname  # noqa: PLC0415

    return opname[frame.f_code.co_code[position]] in {"RAISE_VARARGS", "RERAISE"}


def _handler_codes() -> frozenset[CodeType]:
    """Return the code of all functions that handle signals."""
    import signal  # noqa: PLC0415

    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return frozenset([code for handler in handlers if callable(handler) and (code := _code(handler)) is not None])


def _code(function: Any) -> CodeType | None:
    """Return the code of a function, a method, a partial or an object that can be called."""
    function = getattr(function, "func", function)  # of functools.partial
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
