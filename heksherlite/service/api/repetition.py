"""Keeps the log short when a client repeats the same mistake."""

import logging
from collections.abc import Hashable, MutableMapping
from typing import Final

from cachetools import TTLCache

_SECONDS: Final = 3600.0
_MOST: Final = 1_000


class Repetition:
    """Remembers what was logged in the last hour: the first time counts, and each repetition is logged at DEBUG.

    At most 1,000 different events are remembered.
    """

    def __init__(self) -> None:
        self._logged: MutableMapping[tuple[Hashable, ...], bool] = TTLCache[tuple[Hashable, ...], bool, float](
            _MOST, _SECONDS
        )

    def level(self, level: int, *event: Hashable) -> int:
        """Return the level at which to log an event: the given one, or DEBUG if the event is a repetition.

        Args:
            level: The level of an event that is new.
            event: What identifies the event.
        """
        if event in self._logged:
            return logging.DEBUG
        self._logged[event] = True
        return level
