"""When to poll the service again."""

from random import Random
from typing import Final

_JITTER: Final = 0.1
_LONGEST_BACK_OFF: Final = 300.0
_LONGEST_RETRY_AFTER: Final = 3600.0


class Polling:
    """Computes the pauses between polls: spreads the polls of many clients, and backs off while the service fails.

    Args:
        interval: The seconds between polls that succeed, plus or minus a tenth.
        random: The source of randomness.
    """

    def __init__(self, interval: float, random: Random) -> None:
        self._interval = interval
        self._random = random

    def after_success(self) -> float:
        """Return the seconds until the next poll."""
        return self._interval * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def after_failure(self, failures: int, retry_after: float | None = None) -> float:
        """Return the seconds until the next poll: exponential back-off with full jitter.

        It is "full jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/: anything up
        to a limit, which starts at two seconds, or two intervals if that is less, and doubles with each failure until
        it is five minutes, or the interval if that is more.

        Args:
            failures: The number of polls that failed in a row, at least 1.
            retry_after: The seconds that the service wants the client to wait. At most an hour counts.
        """
        longest = max(self._interval, _LONGEST_BACK_OFF)
        limit = min(longest, min(self._interval, 1.0) * 2.0 ** min(failures, 64))
        return max(self._random.uniform(0, limit), min(retry_after or 0.0, _LONGEST_RETRY_AFTER))
