"""When a client updates: at every interval, later after failures, and sooner if there is reason to."""

from math import inf
from random import Random

import anyio

from heksherlite.engine.polling import Polling


class Schedule:
    """The time of the next update, in the event loop that this is made in. The first one is due at once.

    Args:
        interval: Seconds between updates that go well.
    """

    def __init__(self, interval: float) -> None:
        self._polling = Polling(interval, Random())  # noqa: S311 - only spreads polls
        self._next = anyio.current_time()
        self._hinted = inf
        self._pause = anyio.CancelScope()
        self._woken = anyio.Event()

    async def wait(self) -> None:
        """Wait until an update is due."""
        while not self._woken.is_set() and anyio.current_time() < min(self._next, self._hinted):
            with anyio.CancelScope(deadline=min(self._next, self._hinted)) as self._pause:
                await self._woken.wait()
        self._woken = anyio.Event()
        self._hinted = inf

    def wake(self) -> None:
        """Let an update be due now."""
        self._woken.set()

    def hint(self, seconds: float) -> None:
        """Let an update be due after some seconds at the latest."""
        self._hinted = min(self._hinted, anyio.current_time() + seconds)
        self._pause.deadline = min(self._pause.deadline, self._hinted)

    def succeeded(self) -> None:
        """Let the interval begin."""
        self._next = anyio.current_time() + self._polling.after_success()

    def failed(self, failures: int, retry_after: float | None) -> None:
        """Let a pause begin.

        Args:
            failures: How many updates failed in a row.
            retry_after: After how many seconds the service wants to be asked again, if it says so.
        """
        self._next = anyio.current_time() + self._polling.after_failure(failures, retry_after)

    def rest(self) -> None:
        """Let no update be due but for a reason."""
        self._next = inf
