"""Results of ``get()`` inside ``async with``, which may be awaited. No I/O."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, NoReturn

from heksherlite.errors import FaktsError


class AwaitableGroup(dict[str, Any]):
    """A group that is loaded already. ``await`` returns it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, "AwaitableGroup"]:
        return self
        yield


class PendingFacts:
    """Facts that are loaded when they are awaited. Any other use is an error that says so.

    Args:
        load: The function that loads.
        message: The message of the error.
    """

    __slots__ = ("_load", "_message")

    def __init__(self, load: Callable[[], Coroutine[Any, Any, Any]], message: str) -> None:
        self._load = load
        self._message = message

    def __await__(self) -> Generator[Any, None, Any]:
        return self._load().__await__()

    def __repr__(self) -> str:
        return "<facts that must be awaited>"

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        raise FaktsError(self._message)

    __bool__ = __contains__ = __eq__ = __float__ = __getitem__ = __hash__ = __int__ = __iter__ = __len__ = _refuse
    __str__ = __format__ = __index__ = __call__ = _refuse
