"""``heksherlite export`` and ``heksherlite import`` over HTTP."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Terminal]:
    """Return a terminal beside a service without settings, in a folder of its own."""
    with embedded(tmp_path / "other.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield Terminal(api, tmp_path)


def exported(terminal: Terminal, file: Path, *options: str) -> bytes:
    terminal.run("export", "--url", terminal.api.url, "--output", str(file), *options)
    return file.read_bytes()


def test_settings_move_to_another_service(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    """An export of one service goes into another by its profile, and comes out of it the same."""
    terminal.run("set", "cache_ttl", "10", "--where", "user=john", "--yes")
    export = exported(terminal, tmp_path / "a.jsonl")
    other.run("profile", "add", "other", other.api.url)
    words = ["import", str(tmp_path / "a.jsonl"), "--profile", "other"]
    shown = other.run(*words, "--yes", "--reason", "moved", HEKSHER_URL=None)
    assert shown == f"Imported 3 settings with 1 rules into {other.api.url}\n"
    assert other.api.history(limit=1)[0]["reason"] == "moved"
    assert exported(other, tmp_path / "b.jsonl") == export
    assert "there are 3 settings already; an import with replace deletes them first" in other.refused(*words, "--yes")
    result = json.loads(other.run(*words, "--yes", "--replace", "-o", "json"))
    assert (result["settings"], result["rules"], result["revision"]) == (3, 1, other.api.revision())


def test_one_service_is_piped_into_another(terminal: Terminal, other: Terminal) -> None:
    """The standard output of the export is the standard input of the import."""
    program = [sys.executable, "-m", "heksherlite"]
    with subprocess.Popen(
        [*program, "export", "--url", terminal.api.url, "--output", "-"], stdout=subprocess.PIPE
    ) as source:
        put = [*program, "import", "-", "--url", other.api.url, "--yes", "--reason", "copied"]
        done = subprocess.run(put, stdin=source.stdout, capture_output=True, text=True, check=False)
    assert (source.returncode, done.returncode, done.stderr) == (0, 0, "")
    assert done.stdout == f"Imported 3 settings with 0 rules into {other.api.url}\n"
    assert other.api.history(limit=1)[0]["reason"] == "copied"


def test_an_earlier_state_is_exported(terminal: Terminal, tmp_path: Path) -> None:
    """With --at, the export is that of an earlier revision, which an import puts back."""
    before = exported(terminal, tmp_path / "before")
    revision = str(terminal.api.revision())
    terminal.run("settings", "default", "cache_ttl", "5", "--yes")
    assert exported(terminal, tmp_path / "now") != before
    assert exported(terminal, tmp_path / "then", "--at", revision) == before
    assert "there is no revision 999999" in terminal.refused(
        "export", "--url", terminal.api.url, "--output", str(tmp_path / "never"), "--at", "999999"
    )
    assert not (tmp_path / "never").exists()


def test_a_dry_run_and_a_malformed_export_change_nothing(terminal: Terminal, tmp_path: Path) -> None:
    """A dry run says what would be stored. A line that is wrong is named."""
    file = tmp_path / "a.jsonl"
    content = exported(terminal, file)
    before = terminal.api.state(), terminal.api.revision()
    words = ["import", str(file), "--url", terminal.api.url, "--replace"]
    shown = terminal.run(*words, "--dry-run")
    assert shown == f"This was a dry run. An import would store 3 settings with 0 rules in {terminal.api.url}\n"
    file.write_bytes(content[:-10])
    for options in (["--dry-run"], ["--yes"]):
        assert "line 5: not JSON, or cut off" in terminal.refused(*words, *options)
    assert (terminal.api.state(), terminal.api.revision()) == before


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"\x03", 130)])
def test_a_person_is_asked(answer: bytes, status: int, terminal: Terminal, tmp_path: Path) -> None:
    """On a terminal, the command says what it would delete before it asks. In a pipe, it refuses."""
    file = tmp_path / "a.jsonl"
    exported(terminal, file)
    revision = terminal.api.revision()
    words = ["import", str(file), "--url", terminal.api.url, "--replace"]
    assert "There is no terminal to ask on; --yes" in terminal.refused(*words, status=2)
    ended, shown = terminal.on_a_terminal(*words, answer=answer)
    assert b"has 3 settings with 0 rules." in shown
    assert b"Delete the 3 settings of" in shown
    assert (ended, terminal.api.revision() > revision) == (status, status == 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("export http://a --url http://b --output f", "Give either URL, for a snapshot, or --url or --profile"),
        ("export --url http://b --output f --settings a", "--settings needs URL"),
        ("export --output f --at 1", "--at needs --url or --profile"),
        ("export --url http://b --database sqlite:///a.db --output f", "Give either --database or --url."),
        ("import {file} --profile a --database sqlite:///a.db", "Give either --database or --profile."),
        ("import {file} --url http://a --profile b", "Give either --url or --profile."),
        ("import --from-url http://a --url http://b", "--from-url copies into a database. Into a service:"),
        ("import {file} --break-glass", "--break-glass needs --url or --profile"),
    ],
)
def test_wrong_usage(terminal: Terminal, tmp_path: Path, arguments: str, message: str) -> None:
    """Options that contradict each other are wrong usage, and nothing is written."""
    file = tmp_path / "export"
    file.touch()
    assert message in terminal.refused(*arguments.format(file=file).split(), status=2)


def test_a_failing_output_is_not_taken_for_a_failing_service(terminal: Terminal) -> None:
    """A full disk is named as such."""
    command = [sys.executable, "-m", "heksherlite", "export", "--url", terminal.api.url, "--output", "-"]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot write -: ")
