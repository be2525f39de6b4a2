"""Functions of the program that are called after a change."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from heksherlite.cancellation import is_cancellation, let_signals_pass

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class Listeners:
    """Functions, in the order in which they were added."""

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: tuple[_Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._functions)

    def add(self, function: F) -> F:
        """Add a function and return it, so that this is a decorator.

        Raises:
            TypeError: If it is not callable.
        """
        if not callable(function):
            raise TypeError(f"a listener must be a function, not {function!r}")
        self._functions = (*self._functions, _Listener(function))
        return function

    def remove(self, function: Callable[..., Any]) -> None:
        """Remove a function.

        Raises:
            ValueError: If it was not added, or was removed already.
        """
        for listener in self._functions:
            if listener.function == function:
                self._functions = tuple([other for other in self._functions if other is not listener])
                return
        raise ValueError(f"{function!r} is not a listener, or was removed already")

    async def call(self, *arguments: Any) -> None:
        """Call the functions, and await those that are coroutine functions.

        Whatever a function raises is logged, once for each function. That includes :class:`SystemExit`,
        :class:`KeyboardInterrupt`, and an :class:`asyncio.CancelledError` that does not cancel the current task.
        """
        for listener in self._functions:
            await listener.call(*arguments)


class _Listener:
    __slots__ = ("failed", "function")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.failed = False

    async def call(self, *arguments: Any) -> None:
        try:
            result = self.function(*arguments)
            if hasattr(result, "__await__"):
                await result
        except BaseException as error:
            let_signals_pass(error)
            if is_cancellation(error):
                raise
            if not self.failed:
                self.failed = True
                listener = repr(self.function)
                logger.exception("error in a listener of heksher changes: %s", listener, extra={"listener": listener})
