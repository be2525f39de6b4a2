"""Tasks of a group that may be cancelled before they begin."""

import sys
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVarTuple

from anyio.abc import TaskGroup

Ts = TypeVarTuple("Ts")


def start_soon(group: TaskGroup, function: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> None:
    """Start a task in a group, so that nothing is printed if the event loop ends before the first step of the task.

    :func:`asyncio.run` cancels all tasks at its end. A task group of anyio wraps the coroutine of each task in another
    one. If that is cancelled before its first step, nothing ever awaits the inner one, and Python prints a warning. So
    the coroutine is made in the first step.

    Args:
        group: The task group.
        function: What the task does.
        args: The arguments of the function.
    """
    if _is_asyncio():
        group.start_soon(_MadeWhenAwaited, function, args, name=function.__qualname__)
    else:
        group.start_soon(function, *args)


def _is_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001


class _MadeWhenAwaited(Coroutine[Any, Any, None]):
    """A coroutine whose function is called when it is awaited."""

    def __init__(self, function: Callable[..., Coroutine[Any, Any, None]], args: tuple[object, ...]) -> None:
        self._function = function
        self._args = args

    def __await__(self) -> Generator[Any, Any, None]:
        return self._function(*self._args).__await__()

    def send(self, value: Any) -> Any:
        """Raise an exception: this is only awaited."""
        raise NotImplementedError

    def throw(self, typ: Any, val: BaseException | object = None, tb: TracebackType | None = None) -> Any:
        """Raise an exception: this is only awaited."""
        raise NotImplementedError

    def close(self) -> None:
        """Do nothing: there is nothing to close before the function is called."""
