"""The directory in which the processes of one service share their metrics: each process writes one file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from heksherlite.service.metrics.snapshot import Latencies, MetricsSnapshot, ResponseLabels, Totals


class MultiprocessDirectory:
    """The metrics snapshots of processes that share a directory.

    The files keep the totals of processes that have ended, so counters never decrease, and a process that replaces
    another one continues its totals.

    Args:
        folder: The directory.
        name: The name of this process. No two running processes may have the same name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._own = folder / f"{name}.json"
        self._earlier = _decode(self._own.read_bytes()).totals if self._own.exists() else Totals()

    def publish(self, snapshot: MetricsSnapshot) -> None:
        """Write the metrics of this process.

        Raises:
            OSError: The file cannot be written.
        """
        # The file is replaced atomically: a process may be killed, or read by another one, at any moment.
        written = self._own.with_suffix(".new")
        written.write_bytes(_encode(replace(snapshot, totals=self._earlier.plus(snapshot.totals))))
        written.replace(self._own)

    def snapshots(self) -> Sequence[MetricsSnapshot]:
        """Return the metrics of all processes.

        Raises:
            OSError: A file cannot be read.
        """
        return [_decode(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]


def _encode(snapshot: MetricsSnapshot) -> bytes:
    responses = [
        [*labels, latencies.seconds, latencies.counts] for labels, latencies in snapshot.totals.responses.items()
    ]
    values = {name: getattr(snapshot, name) for name in MetricsSnapshot.__slots__}
    totals = {name: getattr(snapshot.totals, name) for name in Totals.__slots__}
    return orjson.dumps({**values, "totals": {**totals, "responses": responses}})


def _decode(text: bytes) -> MetricsSnapshot:
    values = orjson.loads(text)
    totals = values["totals"]
    decoded = Totals(
        responses={
            ResponseLabels(method, route, status): Latencies(seconds, counts)
            for method, route, status, seconds, counts in totals["responses"]
        },
        writes=totals["writes"],
        refused_tokens=Counter(totals["refused_tokens"]),
        ended_streams=Counter(totals["ended_streams"]),
        refused_by_quota=Counter(totals["refused_by_quota"]),
        history_bytes=totals["history_bytes"],
    )
    return MetricsSnapshot(**{**values, "totals": decoded})
