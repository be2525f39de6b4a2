"""What a client counts of its updates, for metrics."""

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

DELAY_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The upper bounds of the buckets of delays, in seconds. There is one more bucket, without bound."""


class Counts:
    """Counts the updates of a client. One thread writes, and any thread may read.

    Attributes:
        updates: The number of updates that succeeded.
        failures: The number of updates that failed.
        delays: The number of delays in each bucket. A delay is the time from a change in the service, which announced
            it by the stream of changes, to the new value being in force.
        delay_sum: The sum of the delays, in seconds.
        on_delay: Functions that are called with each delay.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.failures = 0
        self.delays = [0] * (len(DELAY_BOUNDS) + 1)
        self.delay_sum = 0.0
        self.on_delay: tuple[Callable[[float], object], ...] = ()

    def delayed(self, seconds: float) -> None:
        """Count a delay. The clocks of two machines may differ, so that a negative one counts as none."""
        seconds = max(0.0, seconds)
        self.delays[bisect_left(DELAY_BOUNDS, seconds)] += 1
        self.delay_sum += seconds
        for function in self.on_delay:
            function(seconds)
