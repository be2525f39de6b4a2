"""What several processes of one service tell each other of themselves: each writes a file, and reads those of all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from heksherlite.service.metrics.snapshot import Latencies, MetricsSnapshot, ResponseLabels, Totals


class MultiprocessDirectory:
    """Metrics snapshots of processes that share a folder.

    Whatever was ever told is in the files, so counters never go back, whichever of the processes is asked; one that
    replaces another goes on counting where that one was.

    Args:
        folder: Where the files are.
        name: Which of them is ours; no two processes have it at the same time.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._own = folder / f"{name}.json"
        self._before = _decoded(self._own.read_bytes()).totals if self._own.exists() else Totals()

    def publish(self, snapshot: MetricsSnapshot) -> None:
        """Tell the others of this process.

        Raises:
            OSError: The file cannot be written.
        """
        # Replaced as a whole: a process may be killed in the middle, or read by another one.
        written = self._own.with_suffix(".new")
        written.write_bytes(_encoded(replace(snapshot, totals=self._before.plus(snapshot.totals))))
        written.replace(self._own)

    def snapshots(self) -> Sequence[MetricsSnapshot]:
        """Return what all processes have told.

        Raises:
            OSError: A file cannot be read.
        """
        return [_decoded(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]


def _encoded(snapshot: MetricsSnapshot) -> bytes:
    answers = [[*kind, latencies.seconds, latencies.counts] for kind, latencies in snapshot.totals.answers.items()]
    values = {name: getattr(snapshot, name) for name in MetricsSnapshot.__slots__}
    totals = {name: getattr(snapshot.totals, name) for name in Totals.__slots__}
    return orjson.dumps({**values, "totals": {**totals, "answers": answers}})


def _decoded(text: bytes) -> MetricsSnapshot:
    values = orjson.loads(text)
    totals = values["totals"]
    answers = {
        ResponseLabels(method, route, status): Latencies(seconds, counts)
        for method, route, status, seconds, counts in totals["answers"]
    }
    refused_tokens, ended_streams = Counter(totals["refused_tokens"]), Counter(totals["ended_streams"])
    counted = Totals(
        answers=answers, writes=totals["writes"], refused_tokens=refused_tokens, ended_streams=ended_streams
    )
    return MetricsSnapshot(**{**values, "totals": counted})
