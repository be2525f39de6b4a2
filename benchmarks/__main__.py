"""The command: runs the measurements in processes of their own, and shows what they wrote."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.chart import chart
from benchmarks.environments import PEERS, ROOT, InstallationError, interpreters, version_of, with_peer, with_project
from benchmarks.machine import machine
from benchmarks.results import PeerResult, Row, read_peer_results, read_rows
from benchmarks.sizes import SIZES, Size
from benchmarks.table import peer_table, table

MEASURES: Final = {
    "get": "benchmarks.measures.get",
    "load": "benchmarks.measures.load",
    "stall": "benchmarks.measures.stall",
    "memory": "benchmarks.measures.memory",
    "import": "benchmarks.measures.imports",
    "values": "benchmarks.measures.values",
    "flags": "benchmarks.measures.flags",
    "requests": "benchmarks.measures.requests",
}
FASTER_THAN_ORIGINAL: Final = 25
NOTHING: Final = PeerResult("", {}, {})


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command was told."""
    parser = argparse.ArgumentParser(prog="python benchmarks/run.py", description="Measure heksherlite and its peers.")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", const="quick", dest="size", help="less than two minutes")
    sizes.add_argument(
        "--smallest", action="store_const", const="smallest", dest="size", help="only to see that it works"
    )
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join((*MEASURES, 'peers'))}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write a chart of the peers, as SVG")
    parser.add_argument(
        "--python",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="interpreters to measure with; by default one of each supported version that is found, or the oldest",
    )
    parser.set_defaults(size="full")
    return parser.parse_args(given)


def run(python: Path, module: str, *args: object) -> str:
    """Return what a measurement writes in a fresh process.

    Raises:
        subprocess.CalledProcessError: It failed; what it said went to this process's standard error.
    """
    started = time.monotonic()
    process = subprocess.run(
        [python, "-m", module, *map(str, args)], cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, check=True
    )
    print(f"{module}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return process.stdout.decode()


def _environment() -> dict[str, str]:
    ignored = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ignored}


def measure_peer(python: Path, peer: str, size: Size) -> PeerResult:
    """Return what a peer takes, or why that cannot be said."""
    samples: dict[int, list[float]] = {}
    floors: dict[int, list[float]] = {}
    package = peer
    try:
        inside = with_peer(python, peer)
        for users in (1, 1000):
            text = run(inside, f"benchmarks.peers.{peer}", users, size.repeats, size.peer_seconds)
            (result,) = read_peer_results(text)
            package = result.package
            samples |= result.nanoseconds
            floors |= result.floor
    except InstallationError as error:
        return PeerResult(package, {}, {}, str(error))
    except subprocess.CalledProcessError:
        return PeerResult(package, {}, {}, "failed: see above")
    return PeerResult(package, samples, floors)


def rows_about_peers(results: Sequence[PeerResult]) -> list[Row]:
    """Return the rows of targets that are about peers.

    Both sides are multiples of the floor in the same process, because clocks change from one process to the next.
    """
    by_name = {result.package.partition(" ")[0]: result for result in results}
    rows = []
    for users in (1, 1000):
        ours, original = by_name["heksherlite"].ratio(users), by_name.get("heksher", NOTHING).ratio(users)
        if ours and original:
            what = f"get against heksher 0.2.2, {users:,} targeted"
            note = f"{original / ours:.0f} times faster"
            rows.append(Row("peers", what, "x floor", [ours], [original], 1 / FASTER_THAN_ORIGINAL, note=note))
    return rows


def measure(python: Path, only: Sequence[str], size_name: str) -> tuple[list[Row], list[PeerResult]]:
    """Return the results of one interpreter.

    Raises:
        InstallationError: The project cannot be installed.
        subprocess.CalledProcessError: A measurement of ours failed.
    """
    inside = with_project(python)
    rows = [row for name in MEASURES if name in only for row in read_rows(run(inside, MEASURES[name], size_name))]
    results: list[PeerResult] = []
    if "peers" in only:
        results = read_peer_results(run(inside, "benchmarks.measures.peer", size_name))
        results += [measure_peer(python, peer, SIZES[size_name]) for peer in PEERS]
        rows += rows_about_peers(results)
    return rows, results


def main() -> None:
    """Measure, and show the results."""
    told = arguments()
    known = [*MEASURES, "peers"]
    only = told.only.split(",") if told.only else known
    if unknown := sorted(set(only) - set(known)):
        sys.exit(f"--only does not know {', '.join(unknown)}; it knows {', '.join(known)}")
    pythons = told.python or interpreters()[: None if told.size == "full" else 1]
    written = []
    for python in pythons:
        rows, results = measure(python, only, told.size)
        version = version_of(python)
        print(f"\n{machine(python)}\n")
        print(f"{table(rows)}\n\n{peer_table(results)}" if results else table(rows), flush=True)
        written.append(
            {"python": version, "rows": [asdict(row) for row in rows], "peers": [asdict(result) for result in results]}
        )
        if told.chart and results and python == pythons[0]:
            told.chart.write_text(chart(results, python=version), "utf-8")
    if told.json:
        told.json.write_text(json.dumps({"size": told.size, "interpreters": written}, indent=1), "utf-8")


if __name__ == "__main__":
    main()
