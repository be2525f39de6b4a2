"""Settings in files: how they are read, sent and dumped."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from heksherlite.admin import AdminClient, AnyOperation, ChangeResult
from tests.cli.terminal import Terminal
from tests.cli.test_repository import CHECKOUT, run, write


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_apply_without_a_question_has_the_operations_decided_once(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--yes``, many rules take half of the time: nobody looks at a preview. What was done is shown."""
    write("checkout.yaml", CHECKOUT)
    sent: list[tuple[int, bool]] = []
    change = AdminClient.change

    def recorded(admin: AdminClient, operations: Sequence[AnyOperation], **options: Any) -> ChangeResult:
        sent.append((len(operations), options["dry_run"]))
        return change(admin, operations, **options)

    monkeypatch.setattr(AdminClient, "change", recorded)
    made, shown = run(terminal, "apply checkout.yaml --yes")
    assert made.startswith("Changed in revision ")
    assert "  ~ cache_ttl where environment=dev except where user=john: 60 -> 10\n" in shown
    assert sent == [(0, True), (4, False)]
    assert run(terminal, "apply checkout.yaml --yes")[0] == "Nothing was changed. Nothing differs.\n"


def test_keys_and_cycles_are_reported_wherever_they_are(terminal: Terminal) -> None:
    """Keys are checked even in unknown fields, and a value that contains itself is a fault where it does so."""
    text = """\
owner: a
settings:
  cache_ttl:
    default: &loop {x: 1, y: [*loop], z: [*loop]}
    unknown: {[a]: 1, b: {c: 1, c: 2}}
    rules:
      - {where: {user: a, user: b}, value: *loop}
      - {reason: {d: 1, d: 2}, value: 1}
"""
    write("bad.yaml", text)
    _, shown = run(terminal, "validate bad.yaml", 1)
    assert shown.splitlines() == [
        "bad.yaml:4:14: the value contains itself",
        "bad.yaml:4:14: the value contains itself",
        "bad.yaml:5:15: a key must be a text",
        "bad.yaml:5:33: the key 'c' is there twice",
        "bad.yaml:7:27: the key 'user' is there twice",
        "bad.yaml:8:25: the key 'd' is there twice",
        "bad.yaml:5:5: setting cache_ttl has no field 'unknown'; the fields are default, rules",
        "bad.yaml:8:9: a rule needs where",
        "Error: 8 faults in the files.",
    ]


def test_a_dump_keeps_every_character(terminal: Terminal) -> None:
    """Characters that end a line in YAML are escaped. Emoji are written as they are where nothing is escaped."""
    titles = ["a\x85b", "a\u2028b", "a\r\nb", "\N{GRINNING FACE}", "\N{GRINNING FACE} a\x85b", "\ufeff", "null", ""]
    for title in titles:
        write("one.json", json.dumps({"owner": "a", "settings": {"shop.title": {"default": title, "rules": []}}}))
        run(terminal, "apply one.json --yes")
        run(terminal, "dump shop.title --owner a --output dumped.yaml")
        assert run(terminal, "plan dumped.yaml --exit-code")[0] == "Nothing differs.\n"
        if title == "\N{GRINNING FACE}":
            assert title in Path("dumped.yaml").read_text("utf-8")
        Path("dumped.yaml").unlink()
