"""Functions and classes that run in a context manager."""

import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any] | type[Any])

Block = Callable[[], AbstractContextManager[Any]]
"""Returns a new context manager for each run."""

_METHODS = ("setup_method", "teardown_method")


def decorated(target: F, block: Block) -> F:
    """Return a function or class that does the same within a block.

    Args:
        target: A function, coroutine function, generator function, asynchronous generator function, or class. A class
            is changed and returned.
        block: Returns the context manager for one run.

    Raises:
        TypeError: If the target is something else.
    """
    result: Any = target
    if isinstance(target, type):
        _decorate_class(target, block)
        return target  # pyright: ignore[reportReturnType] - it is what was given
    if not callable(target) or hasattr(target, "_fixture_function"):
        hint = "; place it below @pytest.fixture" if hasattr(target, "_fixture_function") else ""
        raise TypeError(f"only functions and classes can be decorated, not {target!r}{hint}")
    if inspect.isasyncgenfunction(target):
        result = _asynchronous_generator(target, block)
    elif inspect.iscoroutinefunction(target):
        result = _coroutine(target, block)
    elif inspect.isgeneratorfunction(target):
        result = _generator(target, block)
    else:
        result = _function(target, block)
    typed: F = result
    return typed


def _function(target: Callable[..., Any], block: Block) -> Callable[..., Any]:
    @wraps(target)
    def run(*args: Any, **kwargs: Any) -> Any:
        with block():
            return target(*args, **kwargs)

    return run


def _coroutine(target: Callable[..., Any], block: Block) -> Callable[..., Any]:
    @wraps(target)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await target(*args, **kwargs)

    return run


def _generator(target: Callable[..., Any], block: Block) -> Callable[..., Any]:
    @wraps(target)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with block():
            return (yield from target(*args, **kwargs))

    return run


def _asynchronous_generator(target: Callable[..., Any], block: Block) -> Callable[..., Any]:
    @wraps(target)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with block():
            generator = target(*args, **kwargs)
            try:
                part = await anext(generator)
                while True:
                    try:
                        sent = yield part
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - handed on to the generator
                        part = await generator.athrow(error)
                    else:
                        part = await generator.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await generator.aclose()

    return run


def _decorate_class(target: type[Any], block: Block) -> None:
    unittest = sys.modules.get("unittest")
    if unittest is not None and issubclass(target, unittest.TestCase):
        setattr(target, "run", _run_of_case(target, block))  # noqa: B010 - a type checker forbids it otherwise
        return
    for name in dir(target):
        member = inspect.getattr_static(target, name)
        if name in _METHODS and inspect.isfunction(member):
            setattr(target, name, _method_around_tests(member, block))
        elif name.startswith("test"):
            if isinstance(member, staticmethod | classmethod):
                setattr(target, name, type(member)(decorated(member.__func__, block)))
            elif inspect.isfunction(member):
                setattr(target, name, decorated(member, block))


def _method_around_tests(target: Callable[..., Any], block: Block) -> Callable[..., Any]:
    # pytest counts the parameters, and calls the method with the test if there is one for it.
    if len(inspect.signature(target).parameters) == 1:

        def run_without(self: Any) -> Any:
            with block():
                return target(self)

        return wraps(target)(run_without)

    def run_with(self: Any, method: Any) -> Any:
        with block():
            return target(self, method)

    return wraps(target)(run_with)


def _run_of_case(target: type[Any], block: Block) -> Callable[..., Any]:
    own = target.__dict__.get("run")

    @wraps(target.run)
    def run(self: Any, result: Any = None) -> Any:
        with ExitStack() as stack:
            try:
                stack.enter_context(block())
            except Exception:  # noqa: BLE001 - reported as the error of the test
                result = self.defaultTestResult() if result is None else result
                result.startTest(self)
                result.addError(self, sys.exc_info())
                result.stopTest(self)
                return result
            cooperative: Any = super(target, self)
            return cooperative.run(result) if own is None else own(self, result)

    return run
