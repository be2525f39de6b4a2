"""Log records for lasting failures: one when it begins, and one when it ends."""

import logging
from time import monotonic
from typing import Any

from heksherlite.http.failures import is_outage
from heksherlite.http.in_progress import ConnectionsClosedError


class Outage:
    """A failure that lasts for a while.

    Args:
        logger: The logger.
        begins: The message when it begins. The error is appended to it.
        ends: The message when it ends, at INFO, with the number of failures and the duration in seconds.
        level: The level of the first record.
    """

    def __init__(self, logger: logging.Logger, begins: str, ends: str, *, level: int = logging.ERROR) -> None:
        self._logger = logger
        self._begins = begins
        self._begins_with_reason = f"{begins}: %s"
        self._ends = ends
        self._level = level
        self._since = 0.0
        self._times = 0

    @property
    def lasts(self) -> bool:
        """Whether the failure began, and did not end."""
        return self._times > 0

    def note(self, error: BaseException, **extra: Any) -> None:
        """Log the failure if it begins. Repetitions are logged at DEBUG.

        A service that cannot be reached is logged in one line, with the traceback at DEBUG. That the program itself
        closed the connections is no failure.
        """
        if isinstance(error, ConnectionsClosedError):
            return
        reason = str(error) or type(error).__name__
        if self._times == 0:
            self._since = monotonic()
            traceback = None if is_outage(error) else error
            self._logger.log(self._level, self._begins_with_reason, reason, exc_info=traceback, extra=extra)
        if self._times > 0 or is_outage(error):
            self._logger.debug(self._begins_with_reason, reason, exc_info=error, extra=extra)
        self._times += 1

    def end(self) -> None:
        """Log that the failure ended, if there was one."""
        if self._times > 0:
            extra = {"times": self._times, "seconds": round(monotonic() - self._since, 3)}
            self._logger.info(self._ends, extra=extra)
            self._times = 0
