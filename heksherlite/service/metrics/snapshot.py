"""Metrics snapshots: the metrics of one process, or of several merged, as plain values.

The classes of prometheus_client keep their values per process, or in files named by the environment. Here, each service
of a process has its own.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the latency buckets, in seconds. The last bucket, which is not listed, has no upper bound."""


class ResponseLabels(NamedTuple):
    """The labels by which responses are counted."""

    method: str
    route: str
    status: int


@dataclass(slots=True)
class Latencies:
    """A histogram of latencies.

    Attributes:
        seconds: The sum of all latencies, in seconds.
        counts: The number of latencies in each bucket.
    """

    seconds: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, seconds: float) -> None:
        """Add one latency, in seconds."""
        self.seconds += seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1

    def plus(self, other: "Latencies") -> "Latencies":
        """Return the sum of two histograms."""
        return Latencies(
            self.seconds + other.seconds, [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counters, which never decrease.

    Attributes:
        responses: The latencies of responses, by labels.
        writes: The number of committed writes.
        refused_tokens: The number of refused tokens, by reason.
        ended_streams: The number of streams that have ended, by reason.
        refused_by_quota: The number of requests beyond the quota of their client, by quota.
        history_bytes: The size of what changes added to the history, in bytes of JSON.
    """

    responses: Mapping[ResponseLabels, Latencies] = field(default_factory=dict)
    writes: int = 0
    refused_tokens: Counter[str] = field(default_factory=Counter)
    ended_streams: Counter[str] = field(default_factory=Counter)
    refused_by_quota: Counter[str] = field(default_factory=Counter)
    history_bytes: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """Return the sum of two totals."""
        responses = dict(self.responses)
        for labels, latencies in other.responses.items():
            responses[labels] = latencies.plus(responses.get(labels, Latencies()))
        return Totals(
            responses=responses,
            writes=self.writes + other.writes,
            refused_tokens=self.refused_tokens + other.refused_tokens,
            ended_streams=self.ended_streams + other.ended_streams,
            refused_by_quota=self.refused_by_quota + other.refused_by_quota,
            history_bytes=self.history_bytes + other.history_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """All metrics at one moment.

    Attributes:
        totals: The counters.
        streams: The number of open streams.
        reads: The number of reads in progress.
        revision: The current revision.
        newest_at: The time at which the revision was last known to be the newest, in seconds on the monotonic clock.
        database_up: Whether the database was reachable at the last check.
        settings: The number of settings.
        rules: The number of rules.
    """

    totals: Totals
    streams: int
    reads: int
    revision: int
    newest_at: float
    database_up: bool
    settings: int
    rules: int


def merge(snapshots: Sequence[MetricsSnapshot]) -> MetricsSnapshot:
    """Merge the snapshots of all processes of a service; of values that should be equal, the worst one counts."""
    totals = Totals()
    for snapshot in snapshots:
        totals = totals.plus(snapshot.totals)
    return replace(
        min(snapshots, key=lambda snapshot: snapshot.revision),
        totals=totals,
        streams=sum(snapshot.streams for snapshot in snapshots),
        reads=sum(snapshot.reads for snapshot in snapshots),
        newest_at=min(snapshot.newest_at for snapshot in snapshots),
        database_up=all(snapshot.database_up for snapshot in snapshots),
    )
