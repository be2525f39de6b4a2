"""Tracks whether a database can be used, and logs each change."""

import logging
from typing import NewType

from heksherlite.service.errors import DatabaseMovedError, DatabaseUnavailableError

_logger = logging.getLogger(__name__)

Moment = NewType("Moment", int)
"""A point in the order of what happens to a database."""


class Availability:
    """Whether a database can be read and written, according to the latest checks and writes.

    Operations overlap, so each report names the moment when its operation began: a check that began before a failure
    does not show that the failure is over, and what failed before the database came back is not a new failure.

    A database that can be read but not written, for example on a full disk, is logged once too.

    Attributes:
        reachable: Whether the database was reachable at the last check.
    """

    def __init__(self) -> None:
        self.reachable = True
        self._moment = 0
        self._lost_at = 0
        self._reached_again_at = 0
        self._failure: DatabaseUnavailableError | None = None
        self._failure_was_logged = False

    def now(self) -> Moment:
        """Return the moment at which an operation begins."""
        self._moment += 1
        return Moment(self._moment)

    def reached(self, began: Moment) -> None:
        """Record a check that succeeded.

        Args:
            began: The moment when the check began.
        """
        if began <= self._lost_at:
            return
        if not self.reachable:
            self._reached_again_at = self.now()
            _logger.info("the database can be reached again")
        self.reachable = True
        if self._failure is not None and not self._failure_was_logged:
            reason = str(self._failure)
            _logger.warning("the database can be reached, but a write failed: %s", reason, extra={"reason": reason})
            self._failure_was_logged = True

    def lost(self, error: DatabaseUnavailableError, began: Moment) -> None:
        """Record a check that failed.

        Args:
            error: The failure.
            began: The moment when the check began.
        """
        if began <= self._reached_again_at:
            return
        if self.reachable:
            _logger.warning("the database cannot be reached: %s", error, extra={"reason": str(error)})
        self.reachable = False
        self._lost_at = self.now()
        self._failure = None  # explained by this

    def write_failed(self, error: DatabaseUnavailableError, began: Moment) -> None:
        """Record a write that failed. The next check shows whether the database can be reached at all.

        Args:
            error: The failure.
            began: The moment when the write began.
        """
        if isinstance(error, DatabaseMovedError):
            self.lost(error, began)
        elif began > self._reached_again_at:
            self._failure = error

    def written(self) -> None:
        """Record a write that succeeded."""
        if self._failure_was_logged:
            _logger.info("the database can be written again")
        self._failure = None
        self._failure_was_logged = False
