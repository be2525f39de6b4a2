"""Functions that a program wants to be called after something changed."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class Listeners:
    """Functions to call, in the order in which they were added."""

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: tuple[_Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._functions)

    def add(self, function: F) -> F:
        """Call a function from now on. Returns it, so that this is a decorator.

        Raises:
            TypeError: If it cannot be called.
        """
        if not callable(function):
            raise TypeError(f"a listener must be a function, not {function!r}")
        self._functions = (*self._functions, _Listener(function))
        return function

    def remove(self, function: Callable[..., Any]) -> None:
        """Call a function no more.

        Raises:
            ValueError: If it is none of them.
        """
        for listener in self._functions:
            if listener.function == function:
                self._functions = tuple([other for other in self._functions if other is not listener])
                return
        raise ValueError(f"{function!r} is not a listener, or was removed already")

    async def call(self, *arguments: Any) -> None:
        """Call all of them, and await what is to be awaited. A failure is logged, once for each function."""
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
        except Exception:
            if not self.failed:
                self.failed = True
                logger.exception("error in a listener of heksher changes", extra={"listener": repr(self.function)})
