"""What importing the package, starting its command, and starting its service take, and what an import brings along."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES

HEAVY = ("anyio", "asyncio", "httpx", "ssl")

_HEAVY_ONES = f"""
import heksherlite, json, sys
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""

_BY_FIRST_GET = """
import heksherlite, json, sys
before = set(sys.modules)
setting = heksherlite.Setting("cache_ttl", int, ["environment", "user"], default_value=60)
assert setting.get(user="john") == 60
print(json.dumps(sorted(set(sys.modules) - before)))
"""

_STANDARD_LIBRARY: Final = "import logging, typing, contextlib, enum, re, traceback"
_FRAMEWORKS: Final = "import fastapi, sqlalchemy.ext.asyncio"
_BARE_CLICK: Final = "import click; click.Command('bare', params=[click.Option(['--name'])])(['--help'])"
_SERVICE_SECONDS: Final = 0.5
"""How much longer than the import of FastAPI and SQLAlchemy a service may take until it is ready."""

Program = Callable[[], object]


def run(code: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a fresh process, away from this checkout."""
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)


def milliseconds(program: Program) -> tuple[float, float]:
    """Return the time and the processor time that something takes in fresh processes."""
    before, started = os.times(), time.perf_counter()
    program()
    after, stopped = os.times(), time.perf_counter()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return (stopped - started) * 1e3, processor * 1e3


def in_turns(programs: Sequence[Program], repeats: int) -> list[list[tuple[float, float]]]:
    """Return what programs take, one after the other, again and again. The first turn writes the bytecode."""
    turns = [[milliseconds(program) for program in programs] for _ in range(repeats + 1)][1:]
    return [list(samples) for samples in zip(*turns, strict=True)]


def until_ready(folder: str) -> None:
    """Start a service over an empty database, and end it as soon as it announces its address."""
    database = Path(folder, "settings.db")
    with suppress(FileNotFoundError):
        database.unlink()
    command = [sys.executable, "-m", "heksherlite", "serve", "--port", "0", "--database", f"sqlite:///{database}"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        announced = process.stdout.readline()
        process.kill()
    assert "http://" in announced, announced


def listed(modules: Sequence[str]) -> str:
    """Return modules in words."""
    return ", ".join(modules) if modules else "none"


def rows_of_imports(folder: str, repeats: int) -> list[Row]:
    """Return the rows of the package itself."""
    codes = ("pass", "import heksherlite", _STANDARD_LIBRARY)
    bare, took, floor = in_turns([lambda code=code: run(code, folder) for code in codes], repeats)  # type: ignore[misc]
    heavy = json.loads(run(_HEAVY_ONES, folder).stdout)
    by_get = json.loads(run(_BY_FIRST_GET, folder).stdout)
    ours, floors = (
        [[each[i] - none[i] for each, none in zip(of, bare, strict=True)] for i in (0, 1)] for of in (took, floor)
    )
    return [
        Row("import", "import heksherlite, without bare Python", "ms", ours[0], floors[0], 1.4),
        Row("import", "the same, processor time", "ms", ours[1], floors[1]),
        Row("import", f"of {listed(HEAVY)}: imported", "modules", [len(heavy)], (), 0, "value", listed(heavy)),
        Row("import", "modules imported by the first get", "modules", [len(by_get)], (), 0, "value", listed(by_get)),
    ]


def rows_of_starts(folder: str, repeats: int) -> list[Row]:
    """Return the rows of the service and of the commands, each with the start of the interpreter."""
    codes = (_FRAMEWORKS, "import heksherlite.service", _BARE_CLICK)
    programs: list[Program] = [lambda code=code: run(code, folder) for code in codes]  # type: ignore[misc]
    for arguments in (["--help"], ["settings", "list", "--help"], ["serve", "--help"]):
        command = [sys.executable, "-m", "heksherlite", *arguments]
        programs.append(
            lambda command=command: subprocess.run(command, cwd=folder, capture_output=True, check=True)  # type: ignore[misc]
        )
    programs.append(lambda: until_ready(folder))
    taken = [[sample[0] for sample in samples] for samples in in_turns(programs, repeats)]
    frameworks, service, click, *helps, ready = taken
    limits = [sample + _SERVICE_SECONDS * 1e3 for sample in frameworks]
    return [
        Row("import", "import heksherlite.service", "ms", service, frameworks, 1.3, note="floor: FastAPI, SQLAlchemy"),
        Row("import", "heksherlite --help", "ms", helps[0], click, 3, note="floor: a bare command of click"),
        Row("import", "heksherlite settings list --help", "ms", helps[1], click, 3, note="the same"),
        Row("import", "heksherlite serve --help", "ms", helps[2], click, 3, note="the same"),
        Row(
            "import",
            "heksherlite serve, until ready",
            "ms",
            ready,
            limits,
            1,
            note="floor: FastAPI, SQLAlchemy + 500 ms",
        ),
    ]


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        write_rows([*rows_of_imports(folder, size.imports), *rows_of_starts(folder, max(2, size.imports // 4))])


if __name__ == "__main__":
    main()
