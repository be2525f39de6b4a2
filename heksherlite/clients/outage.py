"""Log records of an outage: one when it begins, one when it ends."""

import logging
from time import monotonic
from typing import Any


class Outage:
    """An outage that is logged when it begins and when it ends.

    Args:
        logger: The logger.
        begins: The message at the begin.
        ends: The message at the end, at INFO, with the number of failures and the seconds that it lasted.
        level: The level of the record at the begin.
    """

    def __init__(self, logger: logging.Logger, begins: str, ends: str, *, level: int = logging.ERROR) -> None:
        self._logger = logger
        self._begins = begins
        self._ends = ends
        self._level = level
        self._since = 0.0
        self._times = 0

    def note(self, error: BaseException, **extra: Any) -> None:
        """Note a failure."""
        if self._times == 0:
            self._since = monotonic()
            self._logger.log(self._level, self._begins, exc_info=error, extra=extra)
        else:
            self._logger.debug(self._begins, exc_info=error, extra=extra)
        self._times += 1

    def end(self) -> None:
        """Note a success."""
        if self._times > 0:
            extra = {"times": self._times, "seconds": round(monotonic() - self._since, 3)}
            self._logger.info(self._ends, extra=extra)
            self._times = 0
