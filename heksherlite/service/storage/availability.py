"""Whether a database can be used, said in the log when that changes."""

import logging

from heksherlite.service.errors import DatabaseMovedError, DatabaseUnavailableError

_logger = logging.getLogger(__name__)


class Availability:
    """What looks at a database and writes to it have shown.

    A database that can be read but not written, as on a full disk, is told of once too.

    Attributes:
        reachable: Whether it could be reached at the last look.
    """

    def __init__(self) -> None:
        self.reachable = True
        self._failure: DatabaseUnavailableError | None = None
        self._failure_was_told = False

    def reached(self) -> None:
        """Note that a look at it went well."""
        if not self.reachable:
            _logger.info("the database can be reached again")
        self.reachable = True
        if self._failure is not None and not self._failure_was_told:
            reason = str(self._failure)
            _logger.warning("the database can be reached, but a write failed", extra={"reason": reason})
            self._failure_was_told = True

    def lost(self, error: DatabaseUnavailableError) -> None:
        """Note that a look at it failed."""
        if self.reachable:
            _logger.warning("the database cannot be reached", extra={"reason": str(error)})
        self.reachable = False
        self._failure = None  # this is why

    def write_failed(self, error: DatabaseUnavailableError) -> None:
        """Note that a write failed; the next check shows whether the database can be reached at all."""
        if isinstance(error, DatabaseMovedError):
            self.lost(error)
        else:
            self._failure = error

    def written(self) -> None:
        """Note that a write went well."""
        if self._failure_was_told:
            _logger.info("the database can be written again")
        self._failure = None
        self._failure_was_told = False
