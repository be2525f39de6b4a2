"""The programs of docs/guides/grants.md run, and so do the examples."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded
from tests.grants.endpoint import Received, Scripted, ScriptedEndpoint

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs", "guides", "grants.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(GROUP,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8888"
MORE = """
database: {host: db.local, port: 5432}
oauth2: {base_url: "http://127.0.0.1:9/o", client_id: me, client_secret: "..."}
graphql: {endpoint_url: "http://127.0.0.1:9/graphql"}
"""


@pytest.fixture
def service_url() -> Iterator[str]:
    with embedded(context_features=["environment", "user", "theme"]) as service:
        yield service.url


def run(*command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks(number: int, service_url: str, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """Each is a program that runs, with the files that it reads."""
    tmp_path.joinpath("config.yaml").write_text(GROUP.replace(ADDRESS, service_url) + MORE, "utf-8")
    tmp_path.joinpath("config.toml").write_text('[database]\nhost = "db.local"\nport = 5432\n', "utf-8")
    program = tmp_path / "program.py"
    program.write_text(BLOCKS[number].replace(ADDRESS, endpoint.url), "utf-8")
    result = run(program, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    if "EnvGrant()" in BLOCKS[number]:  # which finds nothing, and is logged
        assert result.stdout == "{'host': 'db.local', 'port': 5432}\n5432\n"
    else:
        assert result.stderr == ""


def test_commands_are_documented(tmp_path: Path) -> None:
    """Every command and each of its options is in the page."""
    for command in ("login", "whoami", "logout", "beacon", "discover"):
        assert f"`heksherlite {command}" in PAGE
        options = re.findall(
            r"(?<![\w-])--[a-z-]+", run("-m", "heksherlite", command, "--help", folder=tmp_path).stdout
        )
        for option in {*options} - {"--help", "--browser"}:
            assert option in PAGE, f"{option} of {command}"


def test_local_example(tmp_path: Path) -> None:
    """The example of local grants shows the file, the environment over it, and one load for many."""
    result = run(ROOT / "examples" / "local_grants.py", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    for line in (
        "db.local:5432, 5 connections",
        "db.local:5432, 20 connections",
        "there is no 'databse' in the facts (the nearest are 'database')",
        "['db.local', 'db.local', 'db.local']",
    ):
        assert line in result.stdout


def test_remote_example(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The example of remote grants asks a person the first time, and nobody the second."""

    def approve(_: Received) -> Scripted:
        endpoint.tokens["approved"] = {"database": {}}
        return Scripted({"status": "granted", "token": "approved"})

    endpoint.script["/f/challenge/"] = approve
    first = run(ROOT / "examples" / "remote_grants.py", endpoint.url, folder=tmp_path)
    assert (first.stdout, first.returncode) == ("configured: database\n", 0)
    assert "made-here-0" in first.stderr
    asked = len(endpoint.received)
    second = run(ROOT / "examples" / "remote_grants.py", endpoint.url, folder=tmp_path)
    assert (second.stdout, second.stderr) == ("configured: database\n", "")
    assert len(endpoint.received) == asked
