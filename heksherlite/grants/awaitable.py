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


_CLASSES: Final[dict[type, type[_Awaitable]]] = {
    dict: AwaitableDict,
    list: AwaitableList,
    str: AwaitableText,
    SecretText: AwaitableSecretText,
    int: AwaitableInt,
}


def awaitable(value: Any) -> Any:
    """Return a loaded value in a form that may be awaited and is used like the value, if Python has such a form.

    ``None``, ``True``, ``False``, dates and times have none, and orjson refuses one of a floating-point number: they
    are returned as they are.
    """
    class_ = _CLASSES.get(type(value))
    if class_ is None:
        return value
    made: Any = class_
    result = made(value)
    result._loaded = value  # noqa: SLF001 - made here
    return result


class PendingFacts:
    """Facts that are loaded when they are awaited. Any other use is an error that says so.

    Python warns if they are not used at all, as for coroutines.

    Args:
        load: The function that loads.
        path: The path that was read, for the warning.
        message: The message of the error.
    """

    __slots__ = ("_is_used", "_load", "_message", "_path")

    def __init__(self, load: Callable[[], Coroutine[Any, Any, Any]], path: str | None, message: str) -> None:
        self._load = load
        self._path = path
        self._message = message
        self._is_used = False

    def __del__(self) -> None:
        if not self._is_used:
            what = "a result" if self._path is None else f"get({self._path!r})"
            warnings.warn(f"{what} of Fakts was not awaited inside of 'async with'", RuntimeWarning, stacklevel=2)

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
