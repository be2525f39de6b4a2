"""When a rule is served, for rules that are not served all the time."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """Where a scheduled rule is in its life; it only goes forward, also if a clock does not."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Schedule:
    """From when until when a rule is served, in UTC; None is without end.

    ``phase`` is what the catalog makes of it at its revision: each switch to the next phase is a write.
    """

    starts_at: datetime | None
    ends_at: datetime | None
    phase: Phase = Phase.PENDING

    def at(self, now: datetime) -> "Schedule":
        """Return the schedule in the phase that it has come to."""
        phase = self.phase
        if phase is Phase.PENDING and (self.starts_at is None or self.starts_at <= now):
            phase = Phase.ACTIVE
        if phase is Phase.ACTIVE and self.ends_at is not None and self.ends_at <= now:
            phase = Phase.ENDED
        return self if phase is self.phase else replace(self, phase=phase)

    @property
    def next_switch(self) -> datetime | None:
        """When the next phase begins, or None if this is the last one."""
        return {Phase.PENDING: self.starts_at, Phase.ACTIVE: self.ends_at, Phase.ENDED: None}[self.phase]


def schedule_of(starts_at: datetime | None, ends_at: datetime | None, now: datetime) -> Schedule | None:
    """Return the schedule of a rule that gets these times now; None stands for a rule that is always served."""
    return None if starts_at is None and ends_at is None else Schedule(starts_at, ends_at).at(now)
