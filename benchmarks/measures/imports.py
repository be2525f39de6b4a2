"""What importing the package takes, and what it brings along."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

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


def run(code: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a fresh process, away from this checkout."""
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)


def milliseconds(code: str, folder: str) -> tuple[float, float]:
    """Return the time and the processor time that a fresh process takes for some code."""
    before, started = os.times(), time.perf_counter()
    run(code, folder)
    after, stopped = os.times(), time.perf_counter()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return (stopped - started) * 1e3, processor * 1e3


def listed(modules: Sequence[str]) -> str:
    """Return modules in words."""
    return ", ".join(modules) if modules else "none"


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    took, without = [], []
    with tempfile.TemporaryDirectory() as folder:
        milliseconds("import heksherlite", folder)  # which writes the bytecode
        for _ in range(size.imports):
            without.append(milliseconds("pass", folder))
            took.append(milliseconds("import heksherlite", folder))
        heavy = json.loads(run(_HEAVY_ONES, folder).stdout)
        by_get = json.loads(run(_BY_FIRST_GET, folder).stdout)
    times = [ours[0] - bare[0] for ours, bare in zip(took, without, strict=True)]
    processor_times = [ours[1] - bare[1] for ours, bare in zip(took, without, strict=True)]
    write_rows(
        [
            Row("import", "import heksherlite, without bare Python", "ms", times, (), 25, "value"),
            Row("import", "the same, processor time", "ms", processor_times),
            Row("import", f"of {listed(HEAVY)}: imported", "modules", [len(heavy)], (), 0, "value", listed(heavy)),
            Row(
                "import", "modules imported by the first get", "modules", [len(by_get)], (), 0, "value", listed(by_get)
            ),
        ]
    )


if __name__ == "__main__":
    main()
