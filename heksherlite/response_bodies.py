"""Bodies of responses that are made after the handler has returned, in the context of the handler."""

from collections.abc import AsyncIterable, Awaitable, Generator, Iterable
from contextvars import Context, copy_context
from typing import Any, Final, Generic, TypeVar

from heksherlite.in_force import share_block

T = TypeVar("T")

_ENDED: Final = object()


class _Scope:
    """The present context, and the block of :func:`heksherlite.pinned` in it, which goes on until :meth:`end`."""

    __slots__ = ("_end", "context")

    def __init__(self) -> None:
        self.context: Final[Context] = copy_context()
        self._end = share_block()

    def __del__(self) -> None:
        self.end()  # a server that does not close bodies

    def end(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            end()


class Body(Generic[T]):
    """A body that is made in the present context, whose block of :func:`heksherlite.pinned` goes on until its end.

    Args:
        original: The body.
    """

    __slots__ = ("_iterator", "_original", "_scope")

    def __init__(self, original: Iterable[T]) -> None:
        self._original = original
        self._scope = _Scope()
        self._iterator = self._scope.context.run(iter, original)

    def __iter__(self) -> "Body[T]":
        return self

    def __next__(self) -> T:
        try:
            part: Any = self._scope.context.run(next, self._iterator, _ENDED)
        except BaseException:
            self._scope.end()
            raise
        if part is _ENDED:
            raise StopIteration
        result: T = part
        return result

    def close(self) -> None:
        """Close the body. Servers call it."""
        try:
            close = getattr(self._original, "close", None)
            if close is not None:
                self._scope.context.run(close)
        finally:
            self._scope.end()


class AsyncBody(Generic[T]):
    """The same for a body that is made by coroutines, in whatever task."""

    def __init__(self, original: AsyncIterable[T]) -> None:
        self._scope = _Scope()
        self._iterator = self._scope.context.run(aiter, original)

    def __aiter__(self) -> "AsyncBody[T]":
        return self

    async def __anext__(self) -> T:
        try:
            return await _InContext(self._scope.context, anext(self._iterator))
        except BaseException:
            self._scope.end()
            raise

    def close(self) -> None:
        """End the block. Servers call it."""
        self._scope.end()


class _InContext(Generic[T]):
    """Runs each step of a coroutine in a context, and all of them in the task that awaits this."""

    def __init__(self, context: Context, awaitable: Awaitable[T]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, T]:
        run = self._context.run
        steps = self._awaitable.__await__()
        try:
            waits_for = run(next, steps)
            while True:
                try:
                    sent = yield waits_for
                except GeneratorExit:
                    run(_close, steps)
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                    waits_for = run(_throw, steps, error)
                else:
                    waits_for = run(_send, steps, sent)
        except StopIteration as end:
            result: T = end.value
            return result


def _send(steps: Any, sent: object) -> Any:
    return next(steps) if sent is None else steps.send(sent)


def _throw(steps: Any, error: BaseException) -> Any:
    if not hasattr(steps, "throw"):
        raise error
    return steps.throw(error)


def _close(steps: Any) -> None:
    if hasattr(steps, "close"):
        steps.close()
