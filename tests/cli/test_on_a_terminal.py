"""Commands that change something, on a pseudo-terminal and in a pipe: they ask, or refuse, and do nothing by half."""

import pty
import subprocess
import sys
from collections.abc import Iterator
from os import close, read
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

COMMANDS = {
    "set": "set cache_ttl 10 --where user=john",
    "unset": "unset cache_ttl --where environment=dev",
    "default": "settings default cache_ttl 5",
    "rename": "settings rename cache_ttl ttl",
    "delete": "settings delete cache_ttl",
    "protect": "settings protect cache_ttl",
    "show": "settings show-to-clients cache_ttl",
    "revert": "revert {revision}",
    "approve": "proposals approve {proposal}",
    "apply": "apply a.yaml",
    "edit": "edit cache_ttl",
}
FILE = "owner: a\nsettings:\n  cache_ttl:\n    default: 7\n    rules:\n      - {where: {user: eve}, value: 3}\n"


@pytest.fixture
def prepared(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Return a terminal in a folder with a file, where each of the commands would change something."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(FILE, "utf-8")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsleep 0.01\nsed -i 's/value: 20/value: 21/' \"$1\"\n", "utf-8")
    editor.chmod(0o700)
    terminal.variables |= {"EDITOR": str(editor), "VISUAL": ""}
    terminal.api.add_rule(20, environment="dev")
    yield terminal
    ending = {"op": "set_protection", "setting": "cache_ttl", "protected": False}
    terminal.api.call("POST", "changes", {"operations": [ending], "reason": "for the other tests", "break_glass": True})


def arguments(name: str, terminal: Terminal) -> list[str]:
    proposal = 0
    if name == "approve":
        operations = [{"op": "set_default", "setting": "cache_ttl", "value": 6}]
        proposal = terminal.api.call("POST", "proposals", {"operations": operations}).json()["proposal_id"]
        revision = 0
    else:
        revision = terminal.api.revision()
    return COMMANDS[name].format(revision=revision, proposal=proposal).split()


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_pipe_there_is_nobody_to_ask(name: str, prepared: Terminal) -> None:
    """Without a terminal and without --yes, it is wrong usage. A dry run shows the same, and changes nothing either."""
    words = arguments(name, prepared)
    before = prepared.api.state()
    refused = prepared.refused(*words, status=2)
    assert "There is no terminal to ask on; --yes makes the change without asking." in refused
    shown = prepared.try_(*words, "--dry-run")
    assert (shown.exit_code, "this was a dry run" in shown.stdout) == (0, True), shown.output
    assert "\x1b" not in shown.output
    assert prepared.api.state() == before
    prepared.run(*words, "--yes")
    assert prepared.api.state() != before


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in {"apply", "edit"} else pytest.mark.thorough) for name in COMMANDS]
)
def test_ctrl_c_changes_nothing(name: str, prepared: Terminal) -> None:
    """The question comes after what would change. Ctrl-C exits with 130."""
    words = arguments(name, prepared)
    before = prepared.api.state()
    status, shown = prepared.on_a_terminal(*words, answer=b"\x03")
    assert status == 130, shown
    assert b"cache_ttl" in shown
    assert prepared.api.state() == before


@pytest.mark.parametrize(("answer", "status", "rules"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\x04", 1, 0)])
def test_a_person_is_asked(answer: bytes, status: int, rules: int, terminal: Terminal) -> None:
    """On a terminal, the diff and the impact come before the question, in colours."""
    ended, shown = terminal.on_a_terminal("set", "cache_ttl", "10", "--where", "user=john", answer=answer)
    assert ended == status
    assert b"of cache_ttl where user=john: 10" in shown
    assert b"60 -> 10" in shown
    assert b"\x1b[32m" in shown  # green
    assert len(terminal.api.rule_ids()) == rules


def test_output_for_programs_is_the_same_on_a_terminal(prepared: Terminal) -> None:
    """The standard output of -o json does not change with what it is printed on."""
    command = [sys.executable, "-m", "heksherlite", "diff", "@1", "@", "-o", "jsonl", "--url", prepared.api.url]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    controller, end = pty.openpty()
    subprocess.run(command, stdout=end, check=True)
    close(end)
    shown = b""
    while len(shown) < len(piped):
        shown += read(controller, 10_000).replace(b"\r\n", b"\n")
    close(controller)
    assert (shown, b"\x1b" in shown) == (piped, False)


SPINNING = """
import time
from heksherlite.cli.progress import spinner
with spinner("reading"):
    time.sleep(0.6)
"""


def test_a_spinner_is_for_people() -> None:
    """What takes a while spins on a terminal, and leaves nothing there; a pipe gets nothing."""
    assert subprocess.run([sys.executable, "-c", SPINNING], capture_output=True, check=True).stderr == b""
    controller, end = pty.openpty()
    subprocess.run([sys.executable, "-c", SPINNING], stderr=end, check=True)
    close(end)
    shown = read(controller, 10_000)
    close(controller)
    assert b"\r| reading\r/ reading" in shown
    assert shown.endswith(b"\r\x1b[K")
