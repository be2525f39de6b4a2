"""The schedules of rules that are not always served."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """The phase of a scheduled rule. It never goes back, even if a clock does."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The period in which a rule is served, in UTC. None means no limit.

    ``phase`` is part of the catalog at a revision: each switch to the next phase is a write.
    """

    starts_at: datetime | None
    ends_at: datetime | None
    phase: Phase = Phase.PENDING

    def at(self, now: datetime) -> "Schedule":
        """Return the schedule in its phase at a time."""
        phase = self.phase
        if phase is Phase.PENDING and (self.starts_at is None or self.starts_at <= now):
            phase = Phase.ACTIVE
        if phase is Phase.ACTIVE and self.ends_at is not None and self.ends_at <= now:
            phase = Phase.ENDED
        return self if phase is self.phase else replace(self, phase=phase)

    @property
    def next_switch(self) -> datetime | None:
        """When the next phase begins; None in the last phase."""
        return {Phase.PENDING: self.starts_at, Phase.ACTIVE: self.ends_at, Phase.ENDED: None}[self.phase]


def schedule_of(starts_at: datetime | None, ends_at: datetime | None, now: datetime) -> Schedule | None:
    """Return the schedule of a rule with these times, or None if the rule is always served."""
    return None if starts_at is None and ends_at is None else Schedule(starts_at, ends_at).at(now)
