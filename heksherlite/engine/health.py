"""How well a client is: what became of its updates, and how old its values are."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

ClientState = Literal["starting", "fresh", "stale", "failed", "closed"]
ValueSource = Literal["service", "snapshot", "defaults"]


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """How well a client is.

    Attributes:
        state: ``"starting"`` until the first update succeeded or failed; ``"fresh"`` if the last one succeeded;
            ``"stale"`` if it failed, or is longer ago than ``max_staleness``, and there are values from before;
            ``"failed"`` if there never were any; ``"closed"``.
        source: Where values come from: ``"service"``, ``"snapshot"``, or ``"defaults"``, those of the declarations.
        last_success: When an update succeeded last, in UTC; for values from a snapshot, when it was taken.
        age: How many seconds ago that was, by a clock that nobody can set. None if there was none, or for a snapshot.
        revision: The tag of the last response; of the first one, if there are several because of many settings.
        last_error: What went wrong last, with an update or a declaration. It stays after a success.
        consecutive_failures: How many updates failed since one succeeded.
        streaming: Whether a stream of changes is open, so that updates need not wait for the interval.
        undeclared: How many settings the service has not taken yet. They get no rules, whatever the state is.
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


class Health:
    """Keeps a client's record. To be written by one thread; any thread may ask for the status.

    Args:
        max_staleness: After how many seconds without success values count as stale; None for never.
    """

    def __init__(self, max_staleness: float | None = None) -> None:
        self.max_staleness = max_staleness
        self._record = _Record()

    def started(self) -> None:
        """Note that the client starts, perhaps again."""
        self._record = _Record()

    def succeeded(self, now: float, at: datetime, revision: str | None) -> None:
        """Note that an update succeeded.

        Args:
            now: The time of a monotonic clock, in seconds.
            at: The time of the day.
            revision: What the values have now.
        """
        record = self._record
        self._record = _Record(
            "service", at, now, revision=revision, last_error=record.last_error, streaming=record.streaming
        )

    def failed(self, error: Exception) -> int:
        """Note that an update failed; return how many did since one succeeded."""
        self._record = replace(self._record, last_error=error, failures=self._record.failures + 1)
        return self._record.failures

    def declaration_failed(self, error: Exception) -> None:
        """Note that declarations failed, which does not make the values of other settings older."""
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
        """When values become stale, if nothing happens; infinity for never."""
        record = self._record
        if self.max_staleness is None or record.succeeded_at is None:
            return float("inf")
        return record.succeeded_at + self.max_staleness

    def status(self, now: float, *, undeclared: int = 0) -> ClientStatus:
        """Return how well the client is.

        Args:
            now: The time of the monotonic clock.
            undeclared: How many settings are still to be declared.
        """
        record = self._record
        state: ClientState
        if record.closed:
            state = "closed"
        elif record.succeeded_at is not None:
            state = "stale" if record.failures or now >= self.stale_at else "fresh"
        elif record.source == "snapshot":
            state = "stale"
        else:
            state = "failed" if record.failures else "starting"
        return ClientStatus(
            state,
            record.source,
            record.last_success,
            None if record.succeeded_at is None else now - record.succeeded_at,
            record.revision,
            record.last_error,
            record.failures,
            record.streaming,
            undeclared,
        )
