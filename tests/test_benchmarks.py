"""The benchmarks run. Tests do not judge what they measure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.data import lines_response, one_setting, v1_response

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"
RUN_SERVICE = RUN.parent / "service" / "run.py"
INSTRUCTIONS = RUN.parent / "instructions.py"


def test_instructions_are_not_counted_without_valgrind() -> None:
    """Where valgrind is missing, the program says so, and does not fail."""
    process = subprocess.run(
        [sys.executable, str(INSTRUCTIONS)], env={"PATH": ""}, capture_output=True, text=True, timeout=60, check=True
    )
    assert process.stdout == "The instructions were not counted: valgrind is not installed.\n"


@pytest.mark.parametrize(
    "work",
    [
        "parse lines",
        "load lines",
        "get hit",
        *(
            pytest.param(work, marks=pytest.mark.thorough)
            for work in ("parse v1", "load v1", "get miss", "get feature")
        ),
    ],
)
def test_what_is_counted_runs(work: str, tmp_path: Path) -> None:
    """Each kind of work is done and checked, without valgrind."""
    kind, form = work.split()
    subject = "ours"
    if kind != "get":
        build = lines_response if form == "lines" else v1_response
        subject = str(tmp_path / "1")
        Path(subject).write_bytes(build(one_setting(100)))
    for times in ("0", "1"):
        arguments = ["-m", "benchmarks.measures.counted", str(RUN.parents[1]), kind, form, subject, times]
        process = subprocess.run(
            [sys.executable, *arguments], cwd=RUN.parents[1], capture_output=True, text=True, timeout=60, check=False
        )
        assert process.returncode == 0, process.stderr


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
