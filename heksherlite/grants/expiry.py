"""When the credentials end by which facts were claimed, and what somebody has to do before."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Final

import anyio

logger = logging.getLogger(__name__)

WARNING_SECONDS: Final = 14 * 86_400
"""How long before their end credentials end soon."""

_LONGEST_SLEEP: Final = 3600.0
"""In seconds, because clocks are adjusted and machines sleep."""


@dataclass(frozen=True, slots=True)
class CredentialExpiry:
    """The end of the credentials by which facts were claimed.

    Args:
        at: When they end, in seconds since 1970.
        holder: Whose credentials they are, for messages.
        remedy: What somebody has to do before, or ``None`` if the grant gets new ones by itself.
    """

    at: float
    holder: str
    remedy: str | None = None

    @property
    def date(self) -> datetime:
        """When they end, in UTC."""
        return datetime.fromtimestamp(self.at, UTC)

    @property
    def is_soon(self) -> bool:
        """Whether they end within two weeks."""
        return self.at - time() <= WARNING_SECONDS


@dataclass(frozen=True, slots=True)
class ExpiryWatch:
    """Lets facts be loaded again when their credentials end soon, so that the log tells in time.

    Args:
        expiry: The end of the credentials.
    """

    expiry: CredentialExpiry

    async def wait(self) -> None:
        """Return when the credentials end soon."""
        while not self.expiry.is_soon:  # noqa: ASYNC110 - only the clock tells
            await anyio.sleep(min(_LONGEST_SLEEP, max(self.expiry.at - WARNING_SECONDS - time(), 0.001)))


class ExpiryWarnings:
    """Warns once of each end of credentials that somebody has to prevent."""

    def __init__(self) -> None:
        self._warned: set[tuple[str, float]] = set()

    def check(self, expiries: Iterable[CredentialExpiry]) -> None:
        """Log a warning for each end that is near and was not logged before."""
        for expiry in expiries:
            known = (expiry.holder, expiry.at)
            if expiry.remedy is not None and expiry.is_soon and known not in self._warned:
                self._warned.add(known)
                logger.warning(
                    "credentials expire soon: %s: they end at %s: %s",
                    expiry.holder,
                    f"{expiry.date:%Y-%m-%d %H:%M} UTC",
                    expiry.remedy,
                    extra={"holder": expiry.holder, "expires_at": expiry.at, "remedy": expiry.remedy},
                )
