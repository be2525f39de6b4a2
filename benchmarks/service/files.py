"""Settings in files: how long the commands take for very many rules."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import service
from benchmarks.service.sizes import Sizes

_SETTINGS_PER_FILE = 100
_TARGET = 10_000
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
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        names = _write_files(Path(folder, "settings"), sizes)
        for number in range(min(sizes.repeats, 3)):
            with service(f"sqlite:///{folder}/{number}.db", *_LIMITS) as running:
                _declare(running.url, names)
                samples["validate"].append(_run(folder, running.url, "validate", "settings"))
                samples["plan"].append(_run(folder, running.url, "plan", "settings", "--out", "saved.plan"))
                samples["apply"].append(_run(folder, running.url, "apply", "saved.plan", "--yes"))
    what = f"{sizes.file_settings:,} settings and {sizes.file_settings * sizes.file_rules_each:,} rules in files"
    return [
        Row("files", f"{command}, {what}", "ms", times, target=_TARGET, against="value")
        for command, times in samples.items()
    ]


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


def _run(folder: str, url: str, *arguments: str) -> float:
    """Run a command, and return how long it took, in milliseconds."""
    environment = {**os.environ, "HEKSHER_URL": url}
    began = time.perf_counter()
    command = [sys.executable, "-m", "heksherlite", *arguments]
    subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return (time.perf_counter() - began) * 1e3
