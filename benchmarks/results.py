"""What a measurement is, and what it says about a target. Standard library only: peers' environments import it."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Against: TypeAlias = Literal["floor", "value"]
"""What a target limits: the ratio to the floor, or the value itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        group: The measurement that it belongs to, as ``--only`` names it.
        what: What was measured.
        unit: The unit of the samples.
        ours: One sample per repeat.
        floor: Samples of what ours is compared to, if anything; of the same repeats, or of others.
        target: The most that is allowed, if there is a target.
        against: What the target limits.
        note: Anything worth knowing beside the numbers.
    """

    group: str
    what: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    target: float | None = None
    against: Against = "floor"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor ours is, or None without a floor, or with one that is too small to be measured."""
        if not self.floor or min(self.floor) <= 0:
            return None
        if len(self.floor) == len(self.ours):
            # Taken in turns, so what disturbed one disturbed the other.
            return statistics.median(ours / floor for ours, floor in zip(self.ours, self.floor, strict=True))
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def met(self) -> bool | None:
        """Whether the target is met, or None if there is none."""
        measured = self.ratio if self.against == "floor" else statistics.median(self.ours)
        return None if self.target is None or measured is None else measured <= self.target


@dataclass(frozen=True, slots=True)
class PeerResult:
    """What one package takes to return a value.

    Attributes:
        package: The package and its version.
        nanoseconds: Samples per call, by the number of users with a rule of their own.
        floor: The same of the floor, in the same process.
        problem: Why there are none, if so.
    """

    package: str
    nanoseconds: dict[int, list[float]]
    floor: dict[int, list[float]]
    problem: str = ""

    def ratio(self, users: int) -> float | None:
        """How many times the floor it takes with so many targeted users."""
        samples = self.nanoseconds.get(users)
        return statistics.median(samples) / statistics.median(self.floor[users]) if samples else None


def spread(samples: Sequence[float]) -> float:
    """Return the distance between the quartiles."""
    if len(samples) < 2:
        return 0.0
    lower, _, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return upper - lower


def write_rows(rows: Iterable[Row]) -> None:
    """Hand rows to the process that started this one."""
    _write([asdict(row) for row in rows])


def read_rows(text: str) -> list[Row]:
    """Read what `write_rows` wrote."""
    return [Row(**row) for row in _read(text)]


def write_peer_results(results: Iterable[PeerResult]) -> None:
    """Hand the results of peers to the process that started this one."""
    _write([asdict(result) for result in results])


def read_peer_results(text: str) -> list[PeerResult]:
    """Read what `write_peer_results` wrote."""
    return [
        PeerResult(data["package"], _by_users(data["nanoseconds"]), _by_users(data["floor"]), data["problem"])
        for data in _read(text)
    ]


def _by_users(samples: dict[str, list[float]]) -> dict[int, list[float]]:
    return {int(users): values for users, values in samples.items()}


def _write(data: Any) -> None:
    # On a line of its own, because some packages print.
    print(f"\n{json.dumps(data)}", flush=True)


def _read(text: str) -> Any:
    return json.loads(text.splitlines()[-1])
