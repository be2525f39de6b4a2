"""The health of a client: the results of its updates, and the age of its values."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final, Literal

from heksherlite.engine.counts import Counts

ClientState = Literal["starting", "fresh", "stale", "failed", "closed"]
ValueSource = Literal["service", "snapshot", "defaults"]
ProblemKind = Literal["undeclared", "conflict", "rejected rule", "rejected default", "refused value"]


_INTERVALS: Final = 3
_GRACE: Final = 2.0
"""Values count as fresh for this many update intervals, and this many seconds for an update that takes its time."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with one setting, or with one tracked value. Everything else is updated regardless.

    Attributes:
        kind: ``"undeclared"``, ``"conflict"``, ``"rejected rule"``, ``"rejected default"`` or ``"refused value"``.
        setting: The name of the setting, or ``None`` if the problem is with a tracked value.
        reason: What is wrong.
        rule_id: The id of the rule, if the problem is with a rule.
    """

    kind: ProblemKind
    setting: str | None
    reason: str
    rule_id: int | None = None

    def __str__(self) -> str:
        if self.setting is None:
            return f"{self.kind}: {self.reason}"
        return f"setting {self.setting!r}, {self.kind}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Problems:
    """The problems of a client's settings.

    Attributes:
        undeclared: The number of settings that are not declared.
        conflicts: The number of settings whose declaration contradicts what the service stores.
        rejected_rules: The number of rejected rules.
        listed: The first problems.
        refused_values: The number of tracked values that the service refuses.
    """

    undeclared: int = 0
    conflicts: int = 0
    rejected_rules: int = 0
    listed: tuple[Problem, ...] = ()
    refused_values: int = 0


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """The status of a client, computed when it is asked for.

    Attributes:
        state: ``"starting"`` until the first update succeeds or fails; ``"fresh"`` if the last update succeeded;
            ``"stale"`` if there are values, but the last update failed, or longer ago than ``max_staleness`` or than
            three update intervals and 2 seconds, or updates have ended; ``"failed"`` if no update ever succeeded;
            ``"closed"``. An update fails if none of the program's settings is declared.
        source: Where values come from: ``"service"``, ``"snapshot"``, or ``"defaults"``, those of the declarations.
        last_success: When an update last succeeded, in UTC. For values from a snapshot: when it was taken.
        age: The seconds since then, by a clock that nobody can set. ``None`` if no update succeeded.
        revision: The tag of the last response, or of the first one if there are several queries.
        last_error: What last went wrong with an update or a declaration. A success does not remove it.
        consecutive_failures: The number of updates that failed since one succeeded.
        streaming: Whether a stream of changes is open, so that changes arrive before the interval ends.
        undeclared: The number of settings that are not declared. They get no rules, whatever the state is.
        conflicts: The number of settings whose declaration contradicts what the service stores. They get rules.
        rejected_rules: The number of rules whose values are not used, because the type of the setting, a validator or
            ``on_coerce`` rejected them. A rule keeps its last good value, if it has one.
        problems: What these numbers count, with the reasons. At most 100 problems.
        refused_values: The number of tracked values that the service refuses in queries. They are left out, so that
            rules for them are not fetched.
    """

    state: ClientState
    source: ValueSource
    last_success: datetime | None
    age: float | None
    revision: str | None
    last_error: Exception | None
    consecutive_failures: int
    streaming: bool
    undeclared: int
    conflicts: int = 0
    rejected_rules: int = 0
    problems: tuple[Problem, ...] = ()
    refused_values: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    source: ValueSource = "defaults"
    last_success: datetime | None = None
    succeeded_at: float | None = None
    revision: str | None = None
    last_error: Exception | None = None
    failures: int = 0
    streaming: bool = False
    closed: bool = False


NO_PROBLEMS: Final = Problems()


class Health:
    """Keeps the record of a client. One thread writes it, and any thread may ask for the status.

    Args:
        max_staleness: The seconds without success after which values are stale; ``None`` for never.
        update_interval: The seconds between updates.

    Attributes:
        counts: The updates so far.
    """

    def __init__(self, max_staleness: float | None = None, update_interval: float = inf) -> None:
        self.max_staleness = max_staleness
        self._fresh_for = _INTERVALS * update_interval + _GRACE
        self._record = _Record()
        self.counts = Counts()

    def started(self) -> None:
        """Note that the client starts, perhaps again."""
        self._record = _Record()

    def succeeded(self, now: float, at: datetime, revision: str | None) -> None:
        """Note that an update succeeded.

        Args:
            now: The time of a monotonic clock, in seconds.
            at: The time of the day.
            revision: The tag of the values.
        """
        self.counts.updates += 1
        record = self._record
        self._record = _Record(
            "service",
            at,
            now,
            revision=revision,
            last_error=record.last_error,
            streaming=record.streaming,
            closed=record.closed,
        )

    def failed(self, error: Exception) -> int:
        """Note that an update failed, and return the number of failures since the last success."""
        self.counts.failures += 1
        self._record = replace(self._record, last_error=error, failures=self._record.failures + 1)
        return self._record.failures

    def declaration_failed(self, error: Exception) -> None:
        """Note that declarations failed. This does not make the values of other settings older."""
        self._record = replace(self._record, last_error=error)

    def streams(self, streaming: bool) -> None:
        """Note whether a stream of changes is open."""
        self._record = replace(self._record, streaming=streaming)

    def serves_snapshot(self, taken_at: datetime) -> None:
        """Note that values come from a snapshot."""
        self._record = replace(self._record, source="snapshot", last_success=taken_at)

    def serves_defaults(self) -> None:
        """Note that values are the defaults of the declarations again, because the others are too old."""
        self._record = replace(self._record, source="defaults")

    def closed(self) -> None:
        """Note that the client was closed."""
        self._record = replace(self._record, streaming=False, closed=True)

    @property
    def stale_at(self) -> float:
        """When values become stale by ``max_staleness`` if nothing happens; infinity for never."""
        record = self._record
        if self.max_staleness is None or record.succeeded_at is None:
            return float("inf")
        return record.succeeded_at + self.max_staleness

    def state(self, now: float, *, is_updating: bool = True) -> ClientState:
        """Return the state alone, which takes less than the whole status.

        Args:
            now: The time of the monotonic clock.
            is_updating: Whether there still is something that updates the settings.
        """
        record = self._record
        if record.closed:
            return "closed"
        if record.succeeded_at is not None:
            is_old = now >= min(self.stale_at, record.succeeded_at + self._fresh_for)
            return "stale" if record.failures or is_old or not is_updating else "fresh"
        if record.source == "snapshot":
            return "stale"
        return "failed" if record.failures or not is_updating else "starting"

    def status(self, now: float, *, is_updating: bool = True, problems: Problems = NO_PROBLEMS) -> ClientStatus:
        """Return the status.

        Args:
            now: The time of the monotonic clock.
            is_updating: Whether there still is something that updates the settings.
            problems: The problems of settings.
        """
        record = self._record
        return ClientStatus(
            self.state(now, is_updating=is_updating),
            record.source,
            record.last_success,
            None if record.succeeded_at is None else now - record.succeeded_at,
            record.revision,
            record.last_error,
            record.failures,
            record.streaming,
            problems.undeclared,
            problems.conflicts,
            problems.rejected_rules,
            problems.listed,
            problems.refused_values,
        )
