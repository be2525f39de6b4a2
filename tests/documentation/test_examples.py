"""The programs in ``examples`` run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heksherlite.service import embedded
from tests.documentation.pages import ROOT
from tests.grants.endpoint import Received, Scripted, ScriptedEndpoint

EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a folder of its own."""
    process = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process


@pytest.mark.thorough
def test_quickstart_shows_values_changing(tmp_path: Path) -> None:
    """The quickstart ends by itself and shows the default, the changed values and the winning rule."""
    process = run("quickstart.py", folder=tmp_path)
    assert process.stderr == ""
    for line in ("cache_ttl.get(user='john' ) = 60", "cache_ttl.get(user='john' ) = 0", "cache_ttl = 0, by rule 4"):
        assert line in process.stdout


def test_published_introduction_runs(tmp_path: Path) -> None:
    """The program of the published introduction runs unchanged."""
    with embedded(context_features=["environment", "user", "theme"]) as service:
        process = run("introduction.py", folder=tmp_path, HEKSHER_URL=service.url)
    assert (process.stdout, process.stderr) == ("cache_ttl of john: 60\nbackground_color: white\n", "")


@pytest.mark.thorough
def test_limits_in_a_dataclass_and_in_a_pydantic_model(tmp_path: Path) -> None:
    """The service refuses wrong objects with the paths of their faults, and the program has instances."""
    output = run("typed_limits.py", folder=tmp_path).stdout
    assert "400 the value does not fit the schema of setting 'limits': $.requests: 0 is less" in output
    assert "john: 500 requests per 0:01:00 to example.com\njane: 100 requests" in output
    output = run("pydantic_limits.py", folder=tmp_path).stdout
    assert "$.port: 0 is less than the minimum of 1" in output
    assert "prod: Mail(host='mail.example.com', port=587, encrypted=True)" in output


def test_local_grants(tmp_path: Path) -> None:
    """The example of local grants shows the file, the environment over it, and one load for many."""
    output = run("local_grants.py", folder=tmp_path).stdout
    for line in (
        "db.local:5432, 5 connections",
        "db.local:5432, 20 connections",
        "there is no 'databse' in the facts (the nearest are 'database')",
        "['db.local', 'db.local', 'db.local']",
    ):
        assert line in output


@pytest.mark.thorough
def test_remote_grants(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The example of remote grants asks a person the first time, and nobody the second."""

    def approve(_: Received) -> Scripted:
        endpoint.tokens["approved"] = {"database": {}}
        return Scripted({"status": "granted", "token": "approved"})

    endpoint.script["/f/challenge/"] = approve
    first = run("remote_grants.py", endpoint.url, folder=tmp_path)
    assert first.stdout == "configured: database\n"
    assert "made-here-0" in first.stderr
    asked = len(endpoint.received)
    second = run("remote_grants.py", endpoint.url, folder=tmp_path)
    assert (second.stdout, second.stderr) == ("configured: database\n", "")
    assert [request.path for request in endpoint.received[asked:]] == ["/.well-known/fakts", "/f/claim/"]
