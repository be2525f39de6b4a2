"""One load at a time, for all tasks and threads that want one."""

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from heksherlite.errors import FaktsError
from heksherlite.grants.event_loops import wait_for

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Loaded(Generic[T]):
    """What is loaded.

    Attributes:
        value: What it is. Not to be changed.
        refreshes: How many forced loads there have been.
    """

    value: T
    refreshes: int = 0


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A load under way.

    Attributes:
        forced: Whether kept facts will not do.
        outcome: What became of it: ``None`` if it was given up, so that somebody else may try.
        traceback: Where it failed.
    """

    forced: bool
    outcome: "Future[Loaded[T] | Exception | None]" = field(default_factory=Future)
    traceback: TracebackType | None = None


_flights: ContextVar[tuple[_Flight[Any], ...]] = ContextVar("heksherlite_flights", default=())
"""The loads that this code is part of."""


class SharedLoad(Generic[T]):
    """What is loaded, and the load under way. Who wants one while there is one waits for that.

    The one who comes first does it, in its own event loop. If that one is cancelled, another takes over.

    Args:
        load: Loads; takes whether kept facts will not do.
    """

    def __init__(self, load: Callable[[bool], Awaitable[T]]) -> None:
        self._load: Final = load
        self._lock = threading.RLock()  # an abandoned load may end in the middle of anything, by garbage collection
        self._flight: _Flight[T] | None = None
        self.loaded: Loaded[T] | None = None
        _all.add(self)

    async def wanted(self, *, newer_than: int | None = None) -> Loaded[T]:
        """Return what is loaded, after a load if necessary.

        Args:
            newer_than: Have more forced loads than that.

        Raises:
            FaktsError: If the load itself asks for this.
            Exception: What the load raised; then what was loaded before stays.
        """
        forced = newer_than is not None
        while True:
            with self._lock:
                loaded = self.loaded
                if loaded is not None and (newer_than is None or loaded.refreshes > newer_than):
                    return loaded
                flight = self._flight
                if flight is not None and flight in _flights.get():
                    raise FaktsError("a grant asks for the facts that it is to load")
                leads = flight is None
                if flight is None:
                    flight = self._flight = _Flight(forced)
            if leads:
                return await self._fly(flight)
            await wait_for(flight.outcome)
            outcome = flight.outcome.result()
            if outcome is None or (forced and not flight.forced):
                continue
            if isinstance(outcome, Exception):
                raise _twin(outcome).with_traceback(flight.traceback)
            return outcome

    async def _fly(self, flight: _Flight[T]) -> Loaded[T]:
        outcome: Loaded[T] | Exception | None = None
        token = _flights.set((*_flights.get(), flight))
        try:
            value = await self._load(flight.forced)
            refreshes = 0 if self.loaded is None else self.loaded.refreshes
            outcome = Loaded(value, refreshes + flight.forced)
        except Exception as error:
            outcome, flight.traceback = error, error.__traceback__
            raise
        else:
            return outcome
        finally:
            with self._lock:
                if isinstance(outcome, Loaded):
                    self.loaded = outcome
                self._flight = None
            flight.outcome.set_result(outcome)
            with suppress(ValueError):  # abandoned, and ended in another context
                _flights.reset(token)

    def after_fork(self) -> None:
        """Get ready to be used in a forked child, where nobody goes on with the load under way."""
        self._lock = threading.RLock()
        self._flight = None


def _twin(error: Exception) -> Exception:
    """Return a copy of an error, because one that several tasks raise collects the tracebacks of all of them."""
    try:
        twin = copy(error)
    except Exception:  # noqa: BLE001 - an exception of somebody else, which cannot be copied
        return error
    twin.__cause__ = error.__cause__
    return twin


_all: WeakSet[SharedLoad[Any]] = WeakSet()


def _after_fork_in_child() -> None:
    for shared in list(_all):
        shared.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
