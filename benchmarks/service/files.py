"""Settings in files: how long the commands take for very many rules."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import yaml

from benchmarks.results import Row
from benchmarks.service.processes import service
from benchmarks.service.sizes import Sizes

_SETTINGS_PER_FILE = 100
_TARGET = 10_000
_COMMANDS = (
    ("validate", "settings"),
    ("plan", "settings", "--out", "saved.plan"),
    ("apply", "saved.plan", "--yes"),
)
_LIMITS = (
    "--max-operations",
    "1000000",
    "--max-changes-size",
    str(256 * 2**20),
    "--request-timeout",
    "120",
    "--writes-per-second",
    "1000000",
)


def files(sizes: Sizes) -> list[Row]:
    """Validate, plan and apply files with very many rules, all of which are new."""
    samples: dict[str, list[float]] = {"validate": [], "plan": [], "apply": []}
    processor: dict[str, list[float]] = {command: [] for command in samples}
    parsed: list[float] = []
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        names = _write_files(Path(folder, "settings"), sizes)
        for number in range(min(sizes.repeats, 3)):
            with service(f"sqlite:///{folder}/{number}.db", *_LIMITS) as running:
                _declare(running.url, names)
                parsed.append(_parse(Path(folder, "settings")))
                for command, *arguments in _COMMANDS:
                    passed, used = _run(folder, running.url, command, *arguments)
                    samples[command].append(passed)
                    processor[command].append(used)
    what = f"{sizes.file_settings:,} settings and {sizes.file_settings * sizes.file_rules_each:,} rules in files"
    note = "the floor is libyaml reading the files"
    rows = [
        Row("files", f"{command}, {what}", "ms", times, floor=parsed, target=_TARGET, against="value", note=note)
        for command, times in samples.items()
    ]
    return rows + [
        Row("files", f"processor time of the command {command}", "ms", times, floor=parsed, note=note)
        for command, times in processor.items()
    ]


def _parse(folder: Path) -> float:
    """Parse all files with libyaml, as a measure of the machine, and return the processor time in milliseconds."""
    texts = [file.read_text("utf-8") for file in folder.iterdir()]
    began = time.process_time()
    for text in texts:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    return (time.process_time() - began) * 1e3


def _write_files(folder: Path, sizes: Sizes) -> list[str]:
    folder.mkdir()
    names = [f"setting_{number}" for number in range(sizes.file_settings)]
    for start in range(0, len(names), _SETTINGS_PER_FILE):
        lines = ["owner: benchmarks", "settings:"]
        for name in names[start : start + _SETTINGS_PER_FILE]:
            lines += [f"  {name}:", "    rules:"]
            rules = range(sizes.file_rules_each)
            lines += [
                f"      - {{where: {{environment: e{each % 3}, user: u{each}}}, value: {each}}}" for each in rules
            ]
        Path(folder, f"{start}.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return names


def _declare(url: str, names: list[str]) -> None:
    shape = {"type": "int", "default_value": 0, "configurable_features": ["environment", "user"]}
    with httpx.Client(base_url=f"{url}/api/v1", timeout=120) as api:
        for name in names:
            response = api.post("/settings/declare", json={"name": name, **shape})
            while response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                time.sleep(float(response.headers["retry-after"]))
                response = api.post("/settings/declare", json={"name": name, **shape})
            response.raise_for_status()


def _run(folder: str, url: str, *arguments: str) -> tuple[float, float]:
    """Run a command, and return how long it took, and its own processor time, in milliseconds."""
    environment = {**os.environ, "HEKSHER_URL": url}
    began, before = time.perf_counter(), _processor_time()
    command = [sys.executable, "-m", "heksherlite", *arguments]
    subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return (time.perf_counter() - began) * 1e3, (_processor_time() - before) * 1e3


def _processor_time() -> float:
    """Return the processor time of all commands that ended, in seconds. The service is still running."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
