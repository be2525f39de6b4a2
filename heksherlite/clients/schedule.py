"""When a client updates: at every interval, later after failures, and sooner if there is reason to."""

from math import inf
from random import Random
from typing import Final

import anyio

from heksherlite.engine.polling import Polling

_HINTED_PAUSE: Final = 0.1
"""How many seconds there are at least between updates for which there were hints, if the interval is not less."""


class Schedule:
    """The time of the next update, in the event loop that this is made in. The first one is due at once.

    Args:
        interval: Seconds between updates that go well.
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
        """Let an update be due now."""
        self._woken.set()

    def hint(self, seconds: float) -> None:
        """Let an update be due after some seconds at the latest; while updates fail, only once one has succeeded."""
        wanted = max(anyio.current_time() + seconds, self._last + self._hinted_pause)
        self._hinted = min(self._hinted, wanted)
        self._pause.deadline = self._due

    def succeeded(self) -> None:
        """Let the interval begin."""
        self._set(self._polling.after_success(), backs_off=False)

    def failed(self, failures: int, retry_after: float | None) -> None:
        """Let a pause begin.

        Args:
            failures: How many updates failed in a row.
            retry_after: After how many seconds the service wants to be asked again, if it says so.
        """
        self._set(self._polling.after_failure(failures, retry_after), backs_off=True)

    def rest(self) -> None:
        """Let no update be due but for a reason."""
        self._set(inf, backs_off=False)

    @property
    def _due(self) -> float:
        return self._next if self._backs_off else min(self._next, self._hinted)

    def _set(self, seconds: float, *, backs_off: bool) -> None:
        self._next = anyio.current_time() + seconds
        self._backs_off = backs_off
        self._pause.deadline = self._due
