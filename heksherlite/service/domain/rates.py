"""Rate limits: a token bucket for each client."""

from collections import OrderedDict
from typing import Final

_MOST_KEYS: Final = 10_000
"""The maximum number of clients with a bucket. Beyond that, the least recently active one gets a full bucket again."""


class RateLimiter:
    """Limits how often each client may do something.

    Args:
        per_second: The sustained rate.
        burst: The size of a burst.
    """

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one from the bucket of a client, if it is not empty.

        Args:
            key: The client.
            now: The time in seconds on a monotonic clock.

        Returns:
            0 if the client may proceed. Otherwise the number of seconds to wait; nothing is taken then.
        """
        left, at = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[key] = (left if wait else left - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait


class Budget:
    """Limits how much each client may use of something that is only known afterwards.

    What is used beyond the budget is a debt, and the client waits until it is paid.

    Args:
        per_second: The sustained rate.
        burst: How much may be used at once.
    """

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Return how many seconds a client must wait; 0 means that it may proceed.

        Args:
            key: The client.
            now: The time in seconds on a monotonic clock.
        """
        return max(0.0, -self._remaining(key, now) / self._per_second)

    def spend(self, key: str, amount: float, now: float) -> None:
        """Take what a client has used from its budget.

        Args:
            key: The client.
            amount: How much it has used.
            now: The time in seconds on a monotonic clock.
        """
        self._left[key] = (self._remaining(key, now) - amount, now)
        self._left.move_to_end(key)
        if len(self._left) > _MOST_KEYS:
            self._left.popitem(last=False)

    def _remaining(self, key: str, now: float) -> float:
        left, at = self._left.get(key, (self._burst, now))
        return min(self._burst, left + (now - at) * self._per_second)
