"""What users of similar tools complain about does not happen here: one test for each complaint."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal

FILE = """\
owner: checkout
settings:
  cache_ttl:
    default: 50
    rules:
      - {where: {environment: dev}, value: 10}
      - {where: {user: jane}, value: 5, from: 2001-01-01T00:00, until: 2999-01-01T00:00}
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(terminal: Terminal, line: str, status: int = 0) -> tuple[str, str]:
    result = terminal.try_(*shlex.split(line))
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


@pytest.fixture
def applied(terminal: Terminal) -> Terminal:
    """Return a terminal beside a service that has what a file says."""
    Path("a.yaml").write_text(FILE, "utf-8")
    run(terminal, "apply a.yaml --yes")
    return terminal


def test_what_was_deleted_in_the_service_is_in_the_plan(applied: Terminal) -> None:
    """PostHog/terraform-provider-posthog#31: a rule and a default that a person deleted are added again."""
    run(applied, "unset cache_ttl --where environment=dev --yes")
    run(applied, "settings default cache_ttl --clear --yes")
    summary, shown = run(applied, "plan a.yaml --exit-code", 2)
    assert summary.startswith("2 to add, 0 to change, 0 to delete")
    assert "  + cache_ttl default: 50\n" in shown
    assert "  + cache_ttl where environment=dev: 10\n" in shown


def test_what_was_added_in_the_service_is_in_the_plan(applied: Terminal) -> None:
    """PostHog/terraform-provider-posthog#114: a rule that a person added is shown, and is a difference."""
    run(applied, "set cache_ttl 1 --where user=eve --yes")
    summary, shown = run(applied, "plan a.yaml --exit-code", 2)
    assert "1 not in the files, which --prune deletes" in summary
    assert "  ? cache_ttl where user=eve: 1\n" in shown


def test_what_the_service_writes_is_no_difference(applied: Terminal) -> None:
    """PostHog/terraform-provider-posthog#115: ids, phases, versions and metadata of a program are never planned."""
    declaration: dict[str, Any] = {"version": "1.1", "metadata": {"description": "how long"}, "default_value": 61}
    applied.api.declare(**declaration)
    assert applied.json("rules", "list", "cache_ttl")[1]["phase"] == "active"
    assert run(applied, "plan a.yaml --exit-code")[0] == "Nothing differs.\n"


@pytest.mark.parametrize(
    ("type_", "empty", "other"),
    [("str", '""', "x"), ("Json", "null", 1), ("Sequence<int>", "[]", [1]), ("Mapping<int>", "{}", {"a": 1})],
)
def test_empty_is_not_absent(terminal: Terminal, type_: str, empty: str, other: Any) -> None:
    """Kong/deck#985: an empty value is a value, `rules: []` is no rules, and what is absent is not managed."""
    terminal.api.declare("thing", type=type_, default_value=other, configurable_features=["user"])
    rules = f"[{{where: {{user: a}}, value: {empty}}}]"
    Path("a.yaml").write_text(f"owner: a\nsettings:\n  thing:\n    default: {empty}\n    rules: {rules}\n", "utf-8")
    assert run(terminal, "plan a.yaml")[0].startswith("2 to add")
    run(terminal, "apply a.yaml --yes")
    assert terminal.json("get", "thing", "--context", "user=b") == json.loads(empty)
    assert run(terminal, "plan a.yaml --exit-code")[0] == "Nothing differs.\n"
    Path("a.yaml").write_text(f"owner: a\nsettings:\n  thing:\n    default: {empty}\n", "utf-8")
    assert run(terminal, "plan a.yaml --exit-code")[0] == "Nothing differs.\n"
    Path("a.yaml").write_text(f"owner: a\nsettings:\n  thing:\n    default: {empty}\n    rules: []\n", "utf-8")
    assert "1 not in the files" in run(terminal, "plan a.yaml --exit-code", 2)[0]
    Path("a.yaml").write_text("owner: a\nsettings:\n  thing: {}\n", "utf-8")
    assert "? thing default: " in run(terminal, "plan a.yaml")[1]


def test_a_saved_plan_is_not_applied_over_a_moved_state(applied: Terminal) -> None:
    """hashicorp/terraform#8790 and #23542: what a saved plan touches must be as it was. Other changes do not matter."""
    Path("a.yaml").write_text(FILE.replace("value: 10", "value: 11"), "utf-8")
    run(applied, "plan a.yaml --out saved.plan")
    run(applied, "set shop.title sale --where user=eve --yes")
    run(applied, "apply saved.plan --dry-run")
    run(applied, "set cache_ttl 12 --where environment=dev --yes")
    before = applied.api.state()
    assert "was changed from 10 to 12 in revision" in run(applied, "apply saved.plan --yes", 1)[1]
    assert applied.api.state() == before


def test_a_difference_is_no_failure_unless_asked(applied: Terminal) -> None:
    """hashicorp/setup-terraform#328: status 2 needs --exit-code, and a failure has another status."""
    run(applied, "set cache_ttl 1 --where user=eve --yes")
    for line in ("plan a.yaml", "apply a.yaml --yes", "diff @1 @"):
        run(applied, line)
    for line in ("plan a.yaml --exit-code", "apply a.yaml --yes --exit-code", "diff @1 @ --exit-code"):
        run(applied, line, 2)
    run(applied, "plan none.yaml --exit-code", 1)


def test_nothing_changed_is_said(applied: Terminal) -> None:
    """kubernetes/kubernetes#52577: people read that nothing changed, and programs get a revision that is null."""
    revision = applied.api.revision()
    assert run(applied, "apply a.yaml --yes")[0] == "Nothing was changed. Nothing differs.\n"
    assert applied.json("apply", "a.yaml", "--yes")["revision"] is None
    assert (
        "Nothing changes: everything already has these values."
        in run(applied, "set cache_ttl 10 --where environment=dev --yes")[1]
    )
    assert applied.json("set", "cache_ttl", "10", "--where", "environment=dev", "--yes")["changes"] == []
    assert applied.api.revision() == revision


def test_json_does_not_change_with_the_terminal(applied: Terminal) -> None:
    """The width, the colours and the language of the terminal do not matter to -o json."""
    outputs = {
        applied.run("settings", "list", "-o", "json", COLUMNS=columns, FORCE_COLOR=color, LANG=language, TERM=kind)
        for columns, color, language, kind in (("20", "1", "C", "dumb"), ("500", None, "de_DE.UTF-8", "xterm-256color"))
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop())
