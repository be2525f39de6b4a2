"""Log records for what lasts: one when it begins, one when it ends."""

import logging
from time import monotonic
from typing import Any


class Outage:
    """Something that goes wrong for a while.

    Args:
        logger: Where to log.
        begins: The message when it begins.
        ends: The message when it ends, at INFO, with how often it was noted and after how many seconds it ended.
        level: The level of the record when it begins.
    """

    def __init__(self, logger: logging.Logger, begins: str, ends: str, *, level: int = logging.ERROR) -> None:
        self._logger = logger
        self._begins = begins
        self._ends = ends
        self._level = level
        self._since = 0.0
        self._times = 0

    def note(self, error: BaseException, **extra: Any) -> None:
        """Note that it goes wrong, still or anew."""
        if self._times == 0:
            self._since = monotonic()
            self._logger.log(self._level, self._begins, exc_info=error, extra=extra)
        else:
            self._logger.debug(self._begins, exc_info=error, extra=extra)
        self._times += 1

    def end(self) -> None:
        """Note that all is well."""
        if self._times > 0:
            extra = {"times": self._times, "seconds": round(monotonic() - self._since, 3)}
            self._logger.info(self._ends, extra=extra)
            self._times = 0
