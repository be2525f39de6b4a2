"""Noticing that a process did not run for a while: it was stopped, or its machine was suspended."""

import asyncio
import time
from typing import Final

_INTERVAL: Final = 0.25
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two beats after which what the process knows may be too old to be used."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)


class Heartbeat:
    """A timer of the event loop that tells whether it was late.

    Before `start` and after `stop`, no pause is noticed.
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat. This needs a running event loop."""
        self._last = now()
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._beat)

    def stop(self) -> None:
        """End the beats."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._last = None

    @property
    def was_paused(self) -> bool:
        """Whether a beat was missed and `resume` was not called since."""
        return self._paused or self._is_late()

    def resume(self) -> None:
        """Forget a pause, after what may have changed meanwhile was read."""
        self._paused = False
        if self._last is not None:
            self._last = now()

    def _is_late(self) -> bool:
        return self._last is not None and now() - self._last > _LONGEST_PAUSE

    def _beat(self) -> None:
        self._paused = self.was_paused
        self.start()


def now() -> float:
    """Return the seconds of a clock that is never set, and that goes on while the machine is suspended."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
