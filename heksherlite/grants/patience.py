"""Grants that try another grant again, and limit its time."""

import logging
import random

import anyio

from heksherlite.errors import GrantError
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import LayeredFacts

logger = logging.getLogger(__name__)


class RetryGrant:
    """The facts of another grant, which is tried again if it fails.

    It is not tried again if an endpoint refused: a person who denied access is not asked a second time.

    Args:
        grant: The other grant.
        attempts: The maximum number of loads, including the first.
        delay: The longest time before the second load, in seconds. It doubles with each load. The actual time is
            random, so that many programs do not try again at the same moment.
        max_delay: The upper limit of the delay, in seconds.

    Raises:
        ValueError: If one of the numbers is out of range.
    """

    def __init__(self, grant: GrantLike, *, attempts: int = 3, delay: float = 1, max_delay: float = 30) -> None:
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {attempts}")
        if delay < 0 or max_delay < 0:
            raise ValueError("delay and max_delay must not be negative")
        self._grant = as_grant(grant)
        self._attempts = attempts
        self._delay = delay
        self._max_delay = max_delay

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the last load fails, or an endpoint refuses.
        """
        delay = self._delay
        for attempt in range(1, self._attempts):
            try:
                return await load(self._grant, request)
            except GrantError as error:
                if error.refused:
                    raise
                extra = {"grant": repr(self._grant), "attempt": attempt, "reason": str(error)}
                logger.warning("grant is tried again: %r: %s", self._grant, error, extra=extra)
            await anyio.sleep(random.uniform(0, min(delay, self._max_delay)))  # noqa: S311 - spreads requests
            delay *= 2
        return await load(self._grant, request)

    def __repr__(self) -> str:
        return f"RetryGrant({self._grant!r})"


class TimeoutGrant:
    """The facts of another grant, which must load them within a time limit.

    Args:
        grant: The other grant.
        timeout: The time limit in seconds.

    Raises:
        ValueError: If the time limit is not greater than 0.
    """

    def __init__(self, grant: GrantLike, timeout: float) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout must be greater than 0 seconds, not {timeout}")
        self._grant = as_grant(grant)
        self._timeout = timeout

    async def aload(self, request: LoadRequest) -> LayeredFacts:
        """Return the facts.

        Raises:
            GrantError: If the other grant fails, or has no facts in time.
        """
        with anyio.move_on_after(self._timeout):
            return await load(self._grant, request)
        raise GrantError(f"{self._grant!r} loaded no facts within {self._timeout:g} s")

    def __repr__(self) -> str:
        return f"TimeoutGrant({self._grant!r}, {self._timeout:g})"
