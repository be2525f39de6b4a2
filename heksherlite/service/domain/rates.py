"""How often something may happen: a bucket per client that fills at a steady rate."""

from collections import OrderedDict
from typing import Final

_MOST_KEYS: Final = 10_000
"""How many clients are remembered; beyond that, those that were not heard of for the longest time start anew."""


class RateLimiter:
    """Counts what each client does.

    Args:
        per_second: How often something may happen in the long run.
        burst: How often it may happen at once.
    """

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Count one more for a client, if it may.

        Args:
            key: Which client.
            now: The time in seconds, by a clock that is not set back.

        Returns:
            0 if it may, or else after how many seconds it may; then nothing is counted.
        """
        left, at = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[key] = (left if wait else left - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait
