"""The programs in the README and in the documentation run, and so do the examples."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded

ROOT = Path(__file__).parents[1]
ADDRESS_IN_README = "http://127.0.0.1:8888"


def python_blocks() -> list[str]:
    text = "".join(ROOT.joinpath(name).read_text("utf-8") for name in ("README.md", "docs/operators/history.md"))
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def service_url() -> Iterator[str]:
    with embedded(context_features=["environment", "user", "theme"]) as service:
        yield service.url


def run(*command: str | Path, folder: Path | None = None, **environment: str) -> str:
    process = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    return process.stdout


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_readme_block_runs(number: int, service_url: str, tmp_path: Path) -> None:
    """Each Python block is a program that runs, those with tests under pytest too."""
    blocks = python_blocks()
    source = blocks[number].replace(ADDRESS_IN_README, service_url)
    if "page_size" in source:  # rules are about a setting that an earlier block declares
        declaring = next(block for block in blocks if 'Setting("page_size"' in block)
        run("-c", declaring.replace(ADDRESS_IN_README, service_url))
    program = tmp_path / "test_block.py"
    program.write_text(source, "utf-8")
    run(program, folder=tmp_path)
    if "def test_" in source:
        assert "1 passed" in run("-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, program)


def test_quickstart_shows_values_changing() -> None:
    """The quickstart ends by itself and shows the default, the changed values and the winning rule."""
    output = run(ROOT / "examples" / "quickstart.py")
    for line in ("cache_ttl.get(user='john' ) = 60", "cache_ttl.get(user='john' ) = 0", "cache_ttl = 0, by rule 4"):
        assert line in output


def test_published_introduction_runs(service_url: str) -> None:
    """The program of the published introduction runs unchanged."""
    output = run(ROOT / "examples" / "introduction.py", HEKSHER_URL=service_url)
    assert output == "cache_ttl of john: 60\nbackground_color: white\n"
