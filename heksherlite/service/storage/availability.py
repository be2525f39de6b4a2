"""Tracks whether a database can be used, and logs each change."""

import logging

from heksherlite.service.errors import DatabaseMovedError, DatabaseUnavailableError

_logger = logging.getLogger(__name__)


class Availability:
    """Whether a database can be read and written, according to the latest checks and writes.

    A database that can be read but not written, for example on a full disk, is logged once too.

    Attributes:
        reachable: Whether the database was reachable at the last check.
    """

    def __init__(self) -> None:
        self.reachable = True
        self._failure: DatabaseUnavailableError | None = None
        self._failure_was_told = False

    def reached(self) -> None:
        """Record a check that succeeded."""
        if not self.reachable:
            _logger.info("the database can be reached again")
        self.reachable = True
        if self._failure is not None and not self._failure_was_told:
            reason = str(self._failure)
            _logger.warning("the database can be reached, but a write failed", extra={"reason": reason})
            self._failure_was_told = True

    def lost(self, error: DatabaseUnavailableError) -> None:
        """Record a check that failed."""
        if self.reachable:
            _logger.warning("the database cannot be reached", extra={"reason": str(error)})
        self.reachable = False
        self._failure = None  # explained by this

    def write_failed(self, error: DatabaseUnavailableError) -> None:
        """Record a write that failed. The next check shows whether the database can be reached at all."""
        if isinstance(error, DatabaseMovedError):
            self.lost(error)
        else:
            self._failure = error

    def written(self) -> None:
        """Record a write that succeeded."""
        if self._failure_was_told:
            _logger.info("the database can be written again")
        self._failure = None
        self._failure_was_told = False
