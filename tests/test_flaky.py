"""``.ci/run_tests.py``: tests that fail among others and pass alone are listed."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN_TESTS = Path(__file__).parents[1] / ".ci" / "run_tests.py"
TESTS = """
from pathlib import Path

def test_passes():
    pass

def test_fails_once():
    ran = Path("ran")
    first = not ran.exists()
    ran.touch()
    assert not first, "the first time"

def test_fails_if_told_so():
    assert not Path("broken").exists(), "told so"
"""


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.thorough
def test_flaky_tests_are_listed(tmp_path: Path, *, broken: bool) -> None:
    """A test that fails at first and passes alone is listed. Only a test that fails twice fails the run."""
    tmp_path.joinpath("pytest.ini").write_text("[pytest]\n", "utf-8")
    tmp_path.joinpath("test_some.py").write_text(TESTS, "utf-8")
    if broken:
        tmp_path.joinpath("broken").touch()
    command = [sys.executable, str(RUN_TESTS), "results", sys.executable, "-m", "pytest"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == int(broken), process.stdout + process.stderr
    results = tmp_path / "results"
    assert results.joinpath("flaky.txt").read_text("utf-8") == "test_some.py::test_fails_once\n"
    assert "the first time" in results.joinpath("first.txt").read_text("utf-8")
    alone = results.joinpath("alone.txt").read_text("utf-8")
    assert "the first time" not in alone
    assert ("told so" in alone) is broken


@pytest.mark.thorough
def test_without_failures_nothing_runs_again(tmp_path: Path) -> None:
    """If all tests pass, nothing runs again. A command that fails without running tests fails the run."""
    tmp_path.joinpath("test_some.py").write_text("def test_passes():\n    pass\n", "utf-8")
    command = [sys.executable, str(RUN_TESTS)]
    run = [*command, "results", sys.executable, "-m", "pytest"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert not tmp_path.joinpath("results", "alone.txt").exists()
    run = [*command, "other", sys.executable, "-c", "import sys; sys.exit(3)"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, check=False).returncode == 3
