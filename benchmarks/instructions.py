"""Count the instructions of loading and reading; ``python benchmarks/instructions.py --help`` says how.

Counts do not depend on how fast or how busy a machine is. They come from valgrind.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks.data import lines_response, many_settings, one_setting, v1_response  # noqa: E402 - found by the path above

_INSTRUCTIONS: Final = re.compile(rb"I\s+refs:\s+([\d,]+)")
_RULES: Final = 10_000
_EACH: Final = 100
_CALLS: Final = (1_000, 21_000)


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted.

    Attributes:
        what: What it is.
        ours: The arguments of ``benchmarks.measures.counted`` for our work.
        floor: The same for the work that it is compared with.
        times: How often our work is done in each of two processes whose difference counts.
        floor_times: The same for the floor.
        parts: The number of rules or calls in that difference.
    """

    what: str
    ours: Sequence[str]
    floor: Sequence[str]
    times: tuple[int, int]
    floor_times: tuple[int, int]
    parts: int


def _write_responses(folder: Path) -> None:
    for name, build in (("lines", lines_response), ("v1", v1_response)):
        Path(folder, name).mkdir()
        for settings in (many_settings(_RULES, each=_EACH), one_setting(_RULES)):
            Path(folder, name, str(len(settings))).write_bytes(build(settings))


def _counts(folder: Path) -> list[Count]:
    loads = [
        Count(
            f"first load, {title}, {_RULES:,} rules in {settings} setting(s), per rule",
            ("load", form, str(folder / form / str(settings))),
            ("parse", form, str(folder / form / str(settings))),
            (0, 1),
            (1, 2),
            _RULES,
        )
        for form, title in (("lines", "our service"), ("v1", "any v1 service"))
        for settings in (_RULES // _EACH, 1)
    ]
    gets = [
        Count(f"get, {title}", ("get", kind, "ours"), ("get", kind, "floor"), _CALLS, _CALLS, _CALLS[1] - _CALLS[0])
        for kind, title in (("hit", "hit"), ("miss", "miss"), ("feature", "one feature with a constant default"))
    ]
    return [*loads, *gets]


def count(source: Path, work: Sequence[str], times: int) -> int:
    """Return how many instructions a process executes that does some work so many times."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
    arguments = ["-m", "benchmarks.measures.counted", str(source), *work, str(times)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    process = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False)
    found = _INSTRUCTIONS.search(process.stderr)
    if process.returncode or found is None:
        sys.exit(f"{' '.join([*work, str(times)])} failed:\n{process.stderr.decode()}")
    return int(found[1].replace(b",", b""))


def difference(source: Path, work: Sequence[str], times: tuple[int, int], parts: int) -> int:
    """Return the instructions per rule or call."""
    fewer, more = (count(source, work, each) for each in times)
    return round((more - fewer) / parts)


def main() -> None:
    """Count, and print a table."""
    parser = argparse.ArgumentParser(prog="python benchmarks/instructions.py", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="only rows whose name contains this")
    parser.add_argument("--source", type=Path, default=ROOT, metavar="FOLDER", help="measure the package of a checkout")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at the same time (1)")
    told = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("The instructions were not counted: valgrind is not installed.")
        return
    source = told.source.resolve()
    print("| what | instructions | floor | ratio |\n| --- | --- | --- | --- |")

    def line(each: Count) -> str:
        ours = difference(source, each.ours, each.times, each.parts)
        floor = difference(source, each.floor, each.floor_times, each.parts)
        return f"| {each.what} | {ours:,} | {floor:,} | x{ours / floor:.2f} |"

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(told.jobs) as executor:
        _write_responses(Path(folder))
        for text in executor.map(line, [each for each in _counts(Path(folder)) if told.only in each.what]):
            print(text, flush=True)


if __name__ == "__main__":
    main()
