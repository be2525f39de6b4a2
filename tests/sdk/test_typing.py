import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "typing"
ROOT = PROGRAMS.parents[1]
MARK = re.compile(r"  # type: ignore.*")


def mypy(*files: Path) -> set[tuple[str, int]]:
    """Return the lines in which mypy finds errors, by the files' names."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty"]
    result = subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    found = re.findall(r"^(.+?):(\d+): error:", result.stdout, flags=re.MULTILINE)
    return {(Path(file).name, int(line)) for file, line in found}


def basedpyright(*files: Path) -> set[tuple[str, int]]:
    """Return the lines in which basedpyright finds errors, by the files' names."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    result = subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False)
    response = json.loads(result.stdout)
    assert response["summary"]["filesAnalyzed"] == len(files)
    return {
        (Path(item["file"]).name, item["range"]["start"]["line"] + 1)
        for item in response["generalDiagnostics"]
        if item["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, basedpyright])
@pytest.mark.thorough
def test_programs_for_type_checkers(checker: Callable[..., set[tuple[str, int]]], tmp_path: Path) -> None:
    """The types of good*.py are found as they say, and in bad.py the marked lines are refused, and no others."""
    lines = (PROGRAMS / "bad.py").read_text().splitlines()
    marked = {("bad_unmarked.py", number) for number, line in enumerate(lines, 1) if MARK.search(line)}
    unmarked = tmp_path / "bad_unmarked.py"
    unmarked.write_text("\n".join(MARK.sub("", line) for line in lines) + "\n")
    assert len(marked) > 10
    assert checker(PROGRAMS / "good.py", PROGRAMS / "good_values.py", unmarked) == marked
