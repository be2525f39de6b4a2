"""When declarations that failed are sent again."""

from collections.abc import Collection
from math import inf
from typing import Any
from weakref import WeakSet

from heksherlite.engine.polling import Polling
from heksherlite.setting import Setting


class DeclarationRetries:
    """Decides when pending settings are declared: new ones at once, and failed ones after a back-off.

    Args:
        polling: Computes the back-off.
    """

    def __init__(self, polling: Polling) -> None:
        self._polling = polling
        self._failures = 0
        self._due_at = -inf
        self._tried: WeakSet[Setting[Any]] = WeakSet()

    def is_due(self, pending: Collection[Setting[Any]], now: float) -> bool:
        """Return whether to declare now.

        Args:
            pending: The settings that are not declared.
            now: The time of a monotonic clock, in seconds.
        """
        return now >= self._due_at or not self._tried.issuperset(pending)

    def succeeded(self) -> None:
        """Note that no declaration failed."""
        self._failures = 0
        self._due_at = -inf
        self._tried.clear()

    def failed(self, pending: Collection[Setting[Any]], now: float, retry_after: float | None) -> None:
        """Note that declarations failed.

        Args:
            pending: The settings whose declarations were sent.
            now: The time of the clock, in seconds.
            retry_after: The seconds that the service wants the client to wait, if it says so.
        """
        self._failures += 1
        self._due_at = now + self._polling.after_failure(self._failures, retry_after)
        self._tried = WeakSet(pending)
