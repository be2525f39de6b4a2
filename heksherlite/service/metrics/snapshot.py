"""What was counted and measured, as plain values: of one process, or of several together.

The classes of prometheus_client keep their values for the process as a whole, or in files if its environment says so.
Here each service in a process has its own.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Up to how many seconds the answers in each bucket took; the last bucket, which is not listed, has all others."""


class ResponseLabels(NamedTuple):
    """Which answers are counted together."""

    method: str
    route: str
    status: int


@dataclass(slots=True)
class Latencies:
    """How long answers took.

    Attributes:
        seconds: All of them together.
        counts: How many there are in each bucket.
    """

    seconds: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self.seconds += seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1

    def plus(self, other: "Latencies") -> "Latencies":
        """Return both together."""
        return Latencies(
            self.seconds + other.seconds, [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What only grows.

    Attributes:
        answers: What was answered.
        writes: How many writes were committed.
        refused_tokens: How many tokens were refused, by reason.
        ended_streams: How many streams of changes have ended, by reason.
    """

    answers: Mapping[ResponseLabels, Latencies] = field(default_factory=dict)
    writes: int = 0
    refused_tokens: Counter[str] = field(default_factory=Counter)
    ended_streams: Counter[str] = field(default_factory=Counter)

    def plus(self, other: "Totals") -> "Totals":
        """Return both together."""
        answers = dict(self.answers)
        for kind, latencies in other.answers.items():
            answers[kind] = latencies.plus(answers.get(kind, Latencies()))
        return Totals(
            answers=answers,
            writes=self.writes + other.writes,
            refused_tokens=self.refused_tokens + other.refused_tokens,
            ended_streams=self.ended_streams + other.ended_streams,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """What there is to tell at one moment.

    Attributes:
        totals: What was counted so far.
        streams: How many streams of changes are open.
        revision: The revision that is served.
        newest_at: When that was last known to be the newest, in seconds by the clock of the machine that is never set.
        database_up: Whether the database could be reached at the last check.
        settings: How many settings there are.
        rules: How many rules there are.
    """

    totals: Totals
    streams: int
    revision: int
    newest_at: float
    database_up: bool
    settings: int
    rules: int


def merge(snapshots: Sequence[MetricsSnapshot]) -> MetricsSnapshot:
    """Return what processes of one service tell together: of what should be the same for all, the worst."""
    totals = Totals()
    for snapshot in snapshots:
        totals = totals.plus(snapshot.totals)
    return replace(
        min(snapshots, key=lambda snapshot: snapshot.revision),
        totals=totals,
        streams=sum(snapshot.streams for snapshot in snapshots),
        newest_at=min(snapshot.newest_at for snapshot in snapshots),
        database_up=all(snapshot.database_up for snapshot in snapshots),
    )
