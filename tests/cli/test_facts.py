"""heksherlite facts."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite

PROGRAM = """
from dataclasses import dataclass
from heksherlite.grants import EnvGrant, Fakts, ParallelGrant, YamlGrant

@dataclass
class Database:
    host: str
    port: int

@dataclass
class Settings:
    database: Database

grant = ParallelGrant([YamlGrant("config.yaml"), EnvGrant(required=False)])

def make():
    return Fakts(grant, into=Settings)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "config.yaml").write_text("database:\n  host: a\n  port: 5\n  password: hunter2\n")
    monkeypatch.setenv("FAKTS_DATABASE__HOST", "b")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(heksherlite, ["facts", *arguments])


def test_show(folder: Path) -> None:
    """Each value is printed with its sources, the winner first, and secrets are masked."""
    result = run("show")
    assert result.exit_code == 0
    path = folder / "config.yaml"
    assert result.output.splitlines()[:3] == [
        "database.host",
        "  -> 'b'                      environment variable FAKTS_DATABASE__HOST",
        f"     'a'                      {path}, line 2",
    ]
    assert "hunter2" not in result.output
    assert "********" in result.output
    assert run("show", "database.port").output == f"database.port\n  -> 5                        {path}, line 3\n"


def test_show_from_a_module(folder: Path) -> None:
    """A grant, a loader, and a function that returns one can be given."""
    (folder / "program_of_facts.py").write_text(PROGRAM)
    for origin in ("program_of_facts:grant", "program_of_facts:make"):
        assert "FAKTS_DATABASE__HOST" in run("show", "database", "--from", origin).output


def test_without_facts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default file need not exist."""
    monkeypatch.delenv("FAKTS_DATABASE__HOST")
    result = run("show", "--file", str(folder / "missing.yaml"))
    assert (result.exit_code, result.output) == (0, "There are no facts.\n")


def test_check(folder: Path) -> None:
    """A deployment is checked: what fits is said in one line, and what does not fit with its source."""
    (folder / "checked_program_of_facts.py").write_text(PROGRAM)
    result = run("check", "--from", "checked_program_of_facts:make")
    assert (result.exit_code, result.output) == (0, "The facts can be loaded. Groups: database.\n")
    assert run("check", "--group", "database").exit_code == 0
    result = run("check", "--group", "database", "--group", "heksher")
    assert (result.exit_code, result.output) == (1, "Error: missing groups: heksher; those that exist: database\n")
    (folder / "config.yaml").write_text("database:\n  port: hunter2\n")
    result = run("check", "--from", "checked_program_of_facts:make")
    assert result.exit_code == 1
    assert "database.port: expected an integer" in result.output
    assert "config.yaml, line 2" in result.output
    assert "hunter2" not in result.output
    (folder / "config.yaml").write_text("a: [\n")
    assert "config.yaml: line" in run("check").output


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("program", "expected MODULE:ATTR, not 'program'"),
        ("no_such_module_of_facts:grant", "ModuleNotFoundError"),
        ("json:no_such_name", "AttributeError"),
        ("json:__name__", "expected an object with a method aload"),
    ],
)
def test_unusable_origins(origin: str, reason: str) -> None:
    """What cannot be used is an error that says why."""
    result = run("show", "--from", origin)
    assert result.exit_code != 0
    assert reason in result.output
