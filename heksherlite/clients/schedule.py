"""When a client updates: at every interval, later after failures, and earlier after hints."""

from math import inf
from random import Random
from typing import Final

import anyio

from heksherlite.engine.polling import Polling

_HINTED_PAUSE: Final = 0.1
"""The minimum number of seconds between updates that follow hints, unless the interval is shorter."""


class Schedule:
    """The time of the next update. Create it in the event loop. The first update is due at once.

    Args:
        interval: The seconds between updates that succeed.
    """

    def __init__(self, interval: float) -> None:
        self._polling = Polling(interval, Random())  # noqa: S311 - only spreads polls
        self._hinted_pause = min(interval, _HINTED_PAUSE)
        self._next = anyio.current_time()
        self._hinted = inf
        self._last = -inf
        self._backs_off = False
        self._pause = anyio.CancelScope()
        self._woken = anyio.Event()

    async def wait(self) -> None:
        """Wait until an update is due."""
        while not self._woken.is_set() and anyio.current_time() < self._due:
            with anyio.CancelScope(deadline=self._due) as self._pause:
                await self._woken.wait()
        self._woken = anyio.Event()
        self._hinted = inf
        self._last = anyio.current_time()

    def wake(self) -> None:
        """Make an update due now."""
        self._woken.set()

    def hint(self, seconds: float) -> None:
        """Make an update due after some seconds at the latest, or while updates fail, as soon as one succeeded."""
        wanted = max(anyio.current_time() + seconds, self._last + self._hinted_pause)
        self._hinted = min(self._hinted, wanted)
        self._pause.deadline = self._due

    def succeeded(self) -> None:
        """Begin the interval."""
        self._set(self._polling.after_success(), backs_off=False)

    def failed(self, failures: int, retry_after: float | None) -> None:
        """Begin a pause.

        Args:
            failures: The number of updates that failed in a row.
            retry_after: The seconds that the service wants the client to wait, if it says so.
        """
        self._set(self._polling.after_failure(failures, retry_after), backs_off=True)

    def rest(self) -> None:
        """Make no update due until a hint or :meth:`wake`."""
        self._set(inf, backs_off=False)

    @property
    def _due(self) -> float:
        return self._next if self._backs_off else min(self._next, self._hinted)

    def _set(self, seconds: float, *, backs_off: bool) -> None:
        self._next = anyio.current_time() + seconds
        self._backs_off = backs_off
        self._pause.deadline = self._due
