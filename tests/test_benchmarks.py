"""The benchmarks run. Tests do not judge what they measure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"
RUN_SERVICE = RUN.parent / "service" / "run.py"


@pytest.mark.thorough
def test_benchmarks_run_at_the_smallest_size(tmp_path: Path) -> None:
    """Every measurement of this package runs and prints its rows; peers would be downloaded, and are left out."""
    results = tmp_path / "results.json"
    options = ["--smallest", "--only", "get,load,stall,memory,import,values,flags,requests", "--json", str(results)]
    process = subprocess.run(
        [sys.executable, str(RUN), *options, "--python", sys.executable],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    (interpreter,) = json.loads(results.read_text("utf-8"))["interpreters"]
    groups = {row["group"] for row in interpreter["rows"]}
    assert groups == {"get", "load", "stall", "memory", "import", "values", "flags", "requests"}
    assert all(row["ours"] for row in interpreter["rows"])
    for row in interpreter["rows"]:
        assert row["what"] in process.stdout


@pytest.mark.thorough
def test_benchmarks_of_the_service_run_at_the_smallest_size(tmp_path: Path) -> None:
    """Every measurement of the service runs, and its rows are in the table and in the file."""
    results = tmp_path / "results.json"
    process = subprocess.run(
        [sys.executable, str(RUN_SERVICE), "--quick", "--json", str(results)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    rows = json.loads(results.read_text("utf-8"))
    assert {row["group"] for row in rows} == {
        "reads",
        "ofrep",
        "quotas",
        "writes",
        "changes",
        "replicas",
        "removal",
        "size",
        "streams",
        "facts",
        "files",
    }
    assert all(row["ours"] for row in rows)
    for row in rows:
        assert row["what"] in process.stdout
