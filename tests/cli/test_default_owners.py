"""Operators' defaults that files set belong to the owner of the files, as rules do."""

import shlex
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

FILE = "owner: {owner}\nsettings:\n  cache_ttl:\n    default: {default}\n"
BARE = "owner: checkout\nsettings:\n  cache_ttl: {rules: []}\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(default: int, owner: str = "checkout") -> None:
    Path("a.yaml").write_text(FILE.format(owner=owner, default=default), "utf-8")


def plan(terminal: Terminal, options: str = "") -> str:
    """Return the lines of a plan, of which there is one at most."""
    result = terminal.try_(*shlex.split(f"plan a.yaml {options}"))
    assert result.exit_code == 0, result.output
    return next((line.strip() for line in result.stderr.splitlines() if " cache_ttl default" in line), "")


def apply(terminal: Terminal, options: str = "") -> None:
    terminal.run(*shlex.split(f"apply a.yaml --yes {options}"))


def value(terminal: Terminal) -> str:
    return terminal.run("get", "cache_ttl").strip()


def test_a_default_carries_its_owner(terminal: Terminal) -> None:
    """What was applied says who manages it, also after the files change it, and nothing differs then."""
    for default in (5, 6):
        write(default)
        apply(terminal)
        assert plan(terminal) == ""
        assert value(terminal) == str(default)
        metadata = terminal.json("settings", "show", "cache_ttl")["operator_default_metadata"]
        assert metadata["managed_by"] == "checkout"
    shown = terminal.run("settings", "show", "cache_ttl")
    assert "default of the operator: 6, managed in a repository by checkout" in shown


def test_a_persons_change_is_drift(terminal: Terminal) -> None:
    """It is shown and left alone, and --force overwrites it."""
    write(5)
    apply(terminal)
    terminal.run("settings", "default", "cache_ttl", "7", "--yes")
    drift = "! cache_ttl default: 7 -> 5 (somebody has changed this default since it was applied)"
    assert plan(terminal) == drift
    apply(terminal)
    assert value(terminal) == "7"
    assert terminal.try_("plan", "a.yaml", "--exit-code").exit_code == 2
    apply(terminal, "--force")
    assert (value(terminal), plan(terminal)) == ("5", "")


def test_a_default_that_a_person_set_before(terminal: Terminal) -> None:
    """Another value needs --force. The same value becomes managed."""
    terminal.run("settings", "default", "cache_ttl", "7", "--yes")
    write(5)
    assert plan(terminal) == "! cache_ttl default: 7 -> 5 (somebody has set this default)"
    write(7)
    assert plan(terminal) == "~ cache_ttl default: 7 (it becomes managed here)"
    apply(terminal)
    assert plan(terminal) == ""


def test_two_owners(terminal: Terminal) -> None:
    """The default of another owner is left alone, also if it is the same, and --prune does not delete it."""
    write(5)
    apply(terminal)
    for default in (5, 6):
        write(default, owner="search")
        assert plan(terminal).endswith("(managed by checkout)")
        assert plan(terminal).startswith("! ")
    Path("a.yaml").write_text(BARE.replace("checkout", "search"), "utf-8")
    assert plan(terminal) == "? cache_ttl default: 5 (managed by checkout)"
    assert plan(terminal, "--prune") == "! cache_ttl default: 5 (managed by checkout)"
    apply(terminal, "--prune --force")
    assert value(terminal) == "60"


def test_a_default_that_is_gone_is_set_again(terminal: Terminal) -> None:
    """Its owner is gone with it. A default that the files no longer have is deleted by --prune."""
    write(5)
    apply(terminal)
    terminal.run("settings", "default", "cache_ttl", "--clear", "--yes")
    assert terminal.json("settings", "show", "cache_ttl")["operator_default_metadata"] == {}
    assert plan(terminal) == "+ cache_ttl default: 5"
    apply(terminal)
    Path("a.yaml").write_text(BARE, "utf-8")
    assert plan(terminal) == "? cache_ttl default: 5"
    assert plan(terminal, "--prune") == "- cache_ttl default: 5"


def test_an_editor_keeps_the_owner(terminal: Terminal) -> None:
    """A person's edit leaves the owner, and is drift."""
    write(5)
    apply(terminal)
    terminal.run("edit", "cache_ttl", "--yes", VISUAL="sed -i s/5/8/")
    assert plan(terminal) == "! cache_ttl default: 8 -> 5 (somebody has changed this default since it was applied)"
