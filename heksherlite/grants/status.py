"""The status of a loader."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic, time
from typing import Final, Literal, TypeAlias

from heksherlite.grants.expiry import CredentialExpiry

FaktsState: TypeAlias = Literal["starting", "fresh", "stale", "failed"]

_INTERVALS: Final = 3
_GRACE: Final = 2.0
"""Facts are stale after this number of intervals and seconds without a load."""


@dataclass(frozen=True, slots=True)
class FaktsStatus:
    """The status of a loader, computed when it is asked for.

    Attributes:
        state: ``"starting"`` until the first load succeeds or fails; ``"fresh"`` if the last load succeeded;
            ``"stale"`` if there are facts, but the last load failed, or they are older than three intervals of
            ``refresh_every`` and 2 seconds, or kept facts are used because an endpoint is away; ``"failed"`` if no load
            ever succeeded.
        last_success: When the facts were current, in UTC. For facts from a cache: when they were loaded.
        age: The seconds since then, or ``None`` if nothing is loaded.
        last_error: What last went wrong with a load. A success does not remove it.
        consecutive_failures: The number of loads that failed since one succeeded.
        is_following: Whether the loader follows changes.
        credentials_expire_at: When the first credentials end by which the facts were claimed, in UTC, or ``None`` if no
            end is known.
        remedy: What somebody has to do before, or ``None`` for nothing.
    """

    state: FaktsState
    last_success: datetime | None
    age: float | None
    last_error: Exception | None
    consecutive_failures: int
    is_following: bool
    credentials_expire_at: datetime | None = None
    remedy: str | None = None


class LoadRecord:
    """What became of the loads of a loader.

    Args:
        refresh_every: The seconds between loads, or ``None``.
    """

    def __init__(self, refresh_every: float | None) -> None:
        self._fresh_for = inf if refresh_every is None else _INTERVALS * refresh_every + _GRACE
        self._succeeded_at: float | None = None
        self._age_then = 0.0
        self._is_substitute = False
        self._last_error: Exception | None = None
        self._expiry: CredentialExpiry | None = None
        self.failures = 0

    def note_success(self, as_of: float | None, *, is_substitute: bool, expiry: CredentialExpiry | None = None) -> None:
        """Note that facts were loaded.

        Args:
            as_of: When they were current, in seconds since 1970, or ``None`` for now.
            is_substitute: Whether they are old ones in the place of those that were not available.
            expiry: The end of the credentials by which they were claimed, if it is known.
        """
        self._age_then = 0.0 if as_of is None else max(0.0, time() - as_of)
        self._succeeded_at = monotonic()
        self._is_substitute = is_substitute
        self._expiry = expiry
        self.failures = 0

    def note_failure(self, error: Exception) -> None:
        """Note that a load failed."""
        self._last_error = error
        self.failures += 1

    def status(self, *, is_following: bool) -> FaktsStatus:
        """Return the status."""
        succeeded_at = self._succeeded_at
        age = None if succeeded_at is None else monotonic() - succeeded_at + self._age_then
        last_success = None if age is None else datetime.now(UTC) - timedelta(seconds=age)
        expiry = self._expiry
        return FaktsStatus(
            state=self._state(age),
            last_success=last_success,
            age=age,
            last_error=self._last_error,
            consecutive_failures=self.failures,
            is_following=is_following,
            credentials_expire_at=None if expiry is None else expiry.date,
            remedy=None if expiry is None else expiry.remedy,
        )

    def _state(self, age: float | None) -> FaktsState:
        if age is None:
            return "failed" if self.failures else "starting"
        return "stale" if self.failures or self._is_substitute or age > self._fresh_for else "fresh"
