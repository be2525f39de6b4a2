"""Functions of the program that are called when facts change."""

from collections.abc import Callable
from typing import Any, TypeVar

from heksherlite.grants.facts import MISSING, deep_copy, find_keys, value_at
from heksherlite.grants.start import Start
from heksherlite.listeners import Listeners

F = TypeVar("F", bound=Callable[..., Any])


class FactsListeners:
    """Functions by the path whose changes they are called for."""

    def __init__(self) -> None:
        self._by_path: dict[str | None, Listeners] = {}

    def add(self, path: str | None, function: F) -> F:
        """Add a function and return it.

        Raises:
            TypeError: If it is not callable.
        """
        return self._by_path.setdefault(path, Listeners()).add(function)

    def remove(self, function: Callable[..., Any]) -> None:
        """Remove a function, whatever path it was added for.

        Raises:
            ValueError: If it was not added, or was removed already.
        """
        for listeners in self._by_path.values():
            try:
                return listeners.remove(function)
            except ValueError:
                continue
        raise ValueError(f"{function!r} is not a listener, or was removed already")

    async def call(self, before: Start[Any], after: Start[Any]) -> None:
        """Call the functions for the paths whose values differ."""
        for path, listeners in list(self._by_path.items()):
            value = _value(after, path)
            if value != _value(before, path):
                whole = after.settings if path is None and after.settings is not None else value
                await listeners.call(None if whole is MISSING else deep_copy(whole))


def _value(start: Start[Any], path: str | None) -> Any:
    keys = () if path is None else find_keys(start.facts, path)
    return MISSING if keys is None else value_at(start.facts, keys)
