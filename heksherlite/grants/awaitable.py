"""What ``get()`` returns inside ``async with``: values that may be awaited. No I/O."""

import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, NoReturn

from heksherlite.errors import FaktsError
from heksherlite.secret import SecretText


class _Awaitable:
    """A value that is its own kind of object, and which ``await`` returns unchanged."""

    _loaded: Any

    def __await__(self) -> Generator[Any, None, Any]:
        return self._loaded
        yield


class AwaitableDict(_Awaitable, dict[str, Any]):
    """A group."""


class AwaitableList(_Awaitable, list[Any]):
    """A list."""


class AwaitableText(_Awaitable, str):  # noqa: SLOT000 - it has an attribute
    """A text."""


class AwaitableSecretText(_Awaitable, SecretText):
    """A secret text."""


class AwaitableInt(_Awaitable, int):
    """An integer."""


class AwaitableFloat(_Awaitable, float):
    """A floating-point number."""


_CLASSES: Final[dict[type, type[_Awaitable]]] = {
    dict: AwaitableDict,
    list: AwaitableList,
    str: AwaitableText,
    SecretText: AwaitableSecretText,
    int: AwaitableInt,
    float: AwaitableFloat,
}


def awaitable(value: Any, path: str | None) -> Any:
    """Return a loaded value in a form that may be awaited.

    It can also be used without ``await``. Python has no such form of ``None``, ``True``, ``False``, dates and times:
    they become a :class:`LoadedValue`.
    """
    class_ = _CLASSES.get(type(value))
    if class_ is None:
        return LoadedValue(value, path)
    made: Any = class_
    result = made(value)
    result._loaded = value  # noqa: SLF001 - made here
    return result


class _Used:
    """Warns if a value is neither awaited nor used, as Python does for coroutines."""

    __slots__ = ("_is_used", "_path")

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._is_used = False

    def __del__(self) -> None:
        if not self._is_used:
            what = "a result" if self._path is None else f"get({self._path!r})"
            warnings.warn(f"{what} of Fakts was not awaited inside of 'async with'", RuntimeWarning, stacklevel=2)


class LoadedValue(_Used):
    """A loaded value of a kind that Python does not let anybody extend, such as ``None``. ``await`` returns it.

    Without ``await``, it is equal to the value and as true as the value, but it is another object: ``is None`` is
    false.

    Args:
        value: The value.
        path: The path that was read, for the warning.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any, path: str | None) -> None:
        super().__init__(path)
        self._value = value

    def _use(self) -> Any:
        self._is_used = True
        return self._value

    def __await__(self) -> Generator[Any, None, Any]:
        return self._use()
        yield

    def __bool__(self) -> bool:
        return bool(self._use())

    def __eq__(self, other: object) -> bool:
        return bool(self._use() == other)

    def __hash__(self) -> int:
        return hash(self._use())

    def __repr__(self) -> str:
        return repr(self._use())

    def __str__(self) -> str:
        return str(self._use())

    def __format__(self, specification: str) -> str:
        return format(self._use(), specification)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._use(), name)


class PendingFacts(_Used):
    """Facts that are loaded when they are awaited. Any other use is an error that says so.

    Args:
        load: The function that loads.
        path: The path that was read, for the warning.
        message: The message of the error.
    """

    __slots__ = ("_load", "_message")

    def __init__(self, load: Callable[[], Coroutine[Any, Any, Any]], path: str | None, message: str) -> None:
        super().__init__(path)
        self._load = load
        self._message = message

    def __await__(self) -> Generator[Any, None, Any]:
        self._is_used = True
        return self._load().__await__()

    def __repr__(self) -> str:
        return "<facts that must be awaited>"

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        self._is_used = True
        raise FaktsError(self._message)

    __bool__ = __contains__ = __eq__ = __float__ = __getitem__ = __hash__ = __int__ = __iter__ = __len__ = _refuse
    __str__ = __format__ = __index__ = __call__ = _refuse
