"""The machine that measures, and its speed."""

import os
import platform
import subprocess
from pathlib import Path

from benchmarks.environments import version_of


def machine(python: Path) -> str:
    """Return an interpreter, the machine, and how long the interpreter takes for a fixed loop."""
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        f"CPython {version_of(python)}, {where}; {_loop_milliseconds(python):.0f} ms for a loop of a million additions"
    )


def _loop_milliseconds(python: Path) -> float:
    code = "import timeit; print(min(timeit.repeat('for i in range(1_000_000): n += i', 'n = 0', number=1)) * 1e3)"
    return float(subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout)
