"""Loads that tasks and threads share: a single-flight cache."""

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
from heksherlite.grants.grant import LoadRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Loaded(Generic[T]):
    """The result of a load.

    Attributes:
        value: The value. It must not be changed.
        refreshes: The number of forced loads so far.
    """

    value: T
    refreshes: int = 0


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A load in progress.

    Attributes:
        request: What was requested.
        outcome: Its result or error, or ``None`` if it was cancelled, so that another waiter takes over.
        traceback: The traceback of its error.
    """

    request: LoadRequest
    outcome: "Future[Loaded[T] | Exception | None]" = field(default_factory=Future)
    traceback: TracebackType | None = None


_flights: ContextVar[tuple[_Flight[Any], ...]] = ContextVar("heksherlite_flights", default=())
"""The loads that call the current code."""


class SharedLoad(Generic[T]):
    """A value that is loaded once for all tasks and threads. A caller waits if a load is in progress.

    The first caller loads, in its own event loop. If it is cancelled, another caller takes over.

    Args:
        load: The function that loads. Its argument says whether to bypass caches.
        after: Called after each successful load with the result before, if any, and the new one.

    Attributes:
        loaded: The result of the last successful load, or ``None``.
    """

    def __init__(
        self,
        load: Callable[[LoadRequest], Awaitable[T]],
        after: "Callable[[Loaded[T] | None, Loaded[T]], Awaitable[None]] | None" = None,
    ) -> None:
        self._load: Final = load
        self._after: Final = after
        self._lock = threading.RLock()  # garbage collection can end an abandoned load at any point
        self._flight: _Flight[T] | None = None
        self.loaded: Loaded[T] | None = None
        _all.add(self)

    async def get(self, *, newer_than: int | None = None, may_ask: bool = True) -> Loaded[T]:
        """Return the loaded value. Load it first if necessary.

        Args:
            newer_than: The value must result from a later forced load than this number of ``refreshes``.
            may_ask: Whether the load may ask a person.

        Raises:
            FaktsError: If the load itself calls this method.
            Exception: The error of the load. The value of an earlier load is kept.
        """
        forced = newer_than is not None
        while True:
            with self._lock:
                loaded = self.loaded
                if loaded is not None and (newer_than is None or loaded.refreshes > newer_than):
                    return loaded
                flight = self._flight
                if flight is not None and flight in _flights.get():
                    raise FaktsError("a grant requested the facts that it is loading")
                is_leader = flight is None
                if flight is None:
                    flight = self._flight = _Flight(LoadRequest(force_refresh=forced, may_ask=may_ask))
            if is_leader:
                result = await self._run(flight)
                if self._after is not None:
                    await self._after(loaded, result)
                return result
            await wait_for(flight.outcome)
            outcome = flight.outcome.result()
            if outcome is None or (forced and not flight.request.force_refresh):
                continue
            if isinstance(outcome, Exception):
                if may_ask and not flight.request.may_ask:
                    continue
                raise _copy_error(outcome).with_traceback(flight.traceback)
            return outcome

    async def _run(self, flight: _Flight[T]) -> Loaded[T]:
        outcome: Loaded[T] | Exception | None = None
        token = _flights.set((*_flights.get(), flight))
        try:
            value = await self._load(flight.request)
            refreshes = 0 if self.loaded is None else self.loaded.refreshes
            outcome = Loaded(value, refreshes + flight.request.force_refresh)
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
            with suppress(ValueError):  # an abandoned load ended in another context
                _flights.reset(token)

    def after_fork(self) -> None:
        """Reset the state in a forked child, where the load in progress does not continue."""
        self._lock = threading.RLock()
        self._flight = None


def _copy_error(error: Exception) -> Exception:
    """Return a copy of an error, because an error that several tasks raise accumulates their tracebacks."""
    try:
        duplicate = copy(error)
    except Exception:  # noqa: BLE001 - a foreign exception that cannot be copied
        return error
    duplicate.__cause__ = error.__cause__
    return duplicate


_all: WeakSet[SharedLoad[Any]] = WeakSet()


def _after_fork_in_child() -> None:
    for shared in list(_all):
        shared.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
