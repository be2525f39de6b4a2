"""The results as text."""

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.results import PeerResult, Row, spread

_FLOORS = {
    "get": "floor: a slotted method with one dict look-up, in the same contexts",
    "load": "processor time; floor: orjson.loads of the same bytes without garbage collection, or the first load",
    "stall": "floor: the longest garbage collection meanwhile",
    "memory": "as tracemalloc counts it",
    "import": "in fresh processes; floor: logging, typing, contextlib, enum, re, traceback, or as the row says",
    "reads": "load from another process over eight connections; floor: a constant in the same FastAPI stack",
    "ofrep": "load and floor as for reads",
    "quotas": "in this process; floor: a whole 304 of the service",
    "flags": "as each row says",
    "requests": "with and without, in turns",
    "writes": "one after the other; floor: the same statements in one transaction, by psycopg",
    "size": "so many rules in the database",
    "removal": "with writes to another setting all the while",
    "streams": "on `--workers 2`; floor: the same without streams",
    "facts": "programs on the same machine",
    "files": "commands in processes of their own",
    "changes": "floor: the same rules one by one, or none",
    "replicas": "two services on one PostgreSQL, a client at the other one",
    "peers": "multiples of the floor above; floor: those of heksher",
    "values": "as each row says",
}
_HEADER = ("", "ours", "±", "floor", "ratio", "target", "met", "")
_PEER_HEADER = ("from a user to a value", "1 targeted user", "±", "/ floor", "1,000 targeted users", "±", "/ floor", "")


def table(rows: Iterable[Row]) -> str:
    """Return a table of rows, by group."""
    lines: list[Sequence[str]] = [_HEADER]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += [("",), (f"{group}  ({_FLOORS[group]})",)]
        lines.append(_cells(row))
    return _aligned(lines)


def peer_table(results: Iterable[PeerResult]) -> str:
    """Return a table of peers."""
    lines: list[Sequence[str]] = [_PEER_HEADER]
    for result in results:
        cells = [result.package]
        for users in (1, 1000):
            samples = result.nanoseconds.get(users)
            if samples:
                cells += [
                    duration(statistics.median(samples)),
                    duration(spread(samples)),
                    f"x{result.ratio(users):.0f}",
                ]
            else:
                cells += ["-", "", ""]
        lines.append((*cells, result.problem))
    return _aligned(lines)


def duration(nanoseconds: float) -> str:
    """Return nanoseconds with a unit that suits them."""
    for factor, unit in ((1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= factor:
            return f"{_number(nanoseconds / factor)} {unit}"
    return f"{_number(nanoseconds)} ns"


def _cells(row: Row) -> Sequence[str]:
    ratio, target = row.ratio, row.target
    if target is None:
        limit = "-"
    elif row.against == "floor":
        limit = f"{target:.0%}" if target < 1 else f"x{target:g}"
    else:
        limit = f"{target:g} {row.unit}"
    return (
        f"  {row.what}",
        f"{_number(statistics.median(row.ours))} {row.unit}",
        _number(spread(row.ours)),
        _number(statistics.median(row.floor)) if row.floor else "-",
        "-" if ratio is None else f"{ratio:.1%}" if target is not None and target < 1 else f"x{ratio:.2f}",
        limit,
        {True: "yes", False: "NO", None: "-"}[row.met],
        row.note,
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    full = [cells for cells in lines if len(cells) > 1]
    widths = [max(len(cells[column]) for cells in full) for column in range(len(full[0]))]
    text = []
    for cells in lines:
        # What was measured and notes from the left, numbers from the right.
        first, *rest = cells
        padded = [first.ljust(widths[0]) if rest else first]
        padded += [cell.rjust(width) for cell, width in zip(rest[:-1], widths[1:-1], strict=bool(rest))]
        text.append("  ".join([*padded, *rest[-1:]]).rstrip())
    return "\n".join(text)
