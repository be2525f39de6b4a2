"""``heksherlite edit`` with a real editor: a program that changes the file."""

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """Return a script that is the editor. By default it saves the file as it was."""
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\n", "utf-8")
    script.chmod(0o700)
    return script


def changing(editor: Path, command: str) -> None:
    editor.write_text(f"#!/bin/sh\nsleep 0.01\n{command}\n", "utf-8")


def test_rules_are_edited(terminal: Terminal, editor: Path) -> None:
    """What the person adds, changes and removes is one change, and metadata that the file does not show is kept."""
    terminal.api.add_rule(10, environment="dev")
    terminal.api.add_rule(20, user="john")
    terminal.run("settings", "default", "cache_ttl", "5", "--yes")
    changing(editor, "sed -i -e 's/value: 10/value: 11/' -e '/john/d' -e 's/default: 5/default: 6/' \"$1\"")
    made = terminal.try_("edit", "cache_ttl", "--yes", "--reason", "by hand", EDITOR=str(editor), VISUAL=None)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("Changed in revision ")
    assert "value 10 -> 11" in made.stderr
    (rule,) = terminal.json("rules", "list", "cache_ttl")
    assert (rule["value"], rule["metadata"]) == (11, {})
    assert terminal.run("get", "cache_ttl", "--context", "environment=prod,user=a") == "6\n"


def test_a_file_that_is_left_as_it_was_changes_nothing(terminal: Terminal, editor: Path) -> None:
    """Leaving the editor without a change, and saving the same, change nothing."""
    terminal.api.add_rule(10, environment="dev")
    before = terminal.api.state()
    assert terminal.run("edit", "cache_ttl", EDITOR=str(editor), VISUAL=None) == "Nothing was changed.\n"
    changing(editor, 'echo >> "$1"')
    assert terminal.run("edit", "cache_ttl", EDITOR=str(editor), VISUAL=None) == "Nothing was changed.\n"
    assert terminal.api.state() == before


def test_a_malformed_file_changes_nothing(terminal: Terminal, editor: Path) -> None:
    """Faults are shown with their places. Without a terminal there is nobody to edit again."""
    terminal.api.add_rule(10, environment="dev")
    changing(editor, "sed -i 's/value: 10/valeu: 10/' \"$1\"")
    shown = terminal.refused("edit", "cache_ttl", EDITOR=str(editor), VISUAL=None)
    assert "cache_ttl.yaml:6:42: a rule has no field 'valeu'; did you mean value?" in shown
    assert "the edited text is malformed; nothing was changed" in shown
    changing(editor, "sed -i 's/cache_ttl/other/' \"$1\"")
    assert "must contain the setting cache_ttl and no other" in terminal.refused(
        "edit", "cache_ttl", EDITOR=str(editor), VISUAL=None
    )


def test_what_others_changed_meanwhile_is_not_overwritten(terminal: Terminal, editor: Path) -> None:
    """A change to the same rule while the editor is open is a conflict."""
    rule_id = terminal.api.add_rule(10, environment="dev")
    meanwhile = "curl -sf -X PUT -H 'Content-Type: application/json' -d '{\"value\": 99}'"
    url = f"{terminal.api.url}/api/v1/rules/{rule_id}/value"
    changing(editor, f"{meanwhile} {url} && sed -i 's/value: 10/value: 11/' \"$1\"")
    shown = terminal.refused("edit", "cache_ttl", "--yes", EDITOR=str(editor), VISUAL=None)
    assert "cache_ttl" in shown
    assert terminal.json("rules", "list", "cache_ttl")[0]["value"] == 99
