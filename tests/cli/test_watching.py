"""``heksherlite watch`` and ``diff``: changes as they happen, and what differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from heksherlite.cli.output_schemas import output_schema
from tests.cli.terminal import Terminal
from tests.cli.test_repository import run, write

HEKSHERLITE = [sys.executable, "-m", "heksherlite"]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def streams(terminal: Terminal) -> int:
    (line,) = [
        line for line in terminal.api.http.get("/metrics").text.splitlines() if line.startswith("heksherlite_streams ")
    ]
    return int(float(line.split()[1]))


def test_changes_are_printed_as_they_happen(terminal: Terminal) -> None:
    """Each change is printed at once, into a pipe too, and the command ends after as many as were asked for."""
    before = streams(terminal)
    command = [*HEKSHERLITE, "watch", "cache_ttl", "--count", "2", "-o", "jsonl"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **terminal.variables}
    ) as process:
        while streams(terminal) == before:
            assert process.poll() is None
        assert process.stdout is not None
        terminal.run("set", "shop.title", "sale", "--where", "user=a", "--yes")
        terminal.run("set", "cache_ttl", "10", "--where", "user=a", "--yes", "--reason", "cold")
        first = json.loads(process.stdout.readline())
        assert jsonschema_rs.validator_for(output_schema("watch")).is_valid(first)
        assert (first["reason"], first["changes"][0]["after"]["value"]) == ("cold", 10)
        terminal.run("unset", "cache_ttl", "--where", "user=a", "--yes")
        assert json.loads(process.stdout.readline())["changes"][0]["after"] is None
        assert process.wait(20) == 0
    assert "does not exist" in terminal.refused("watch", "nothing")


def test_two_times_and_files_are_compared(terminal: Terminal) -> None:
    """A side is a profile, a URL, a time, or files; of files, only what they manage is compared."""
    terminal.run("set", "cache_ttl", "10", "--where", "environment=dev", "--yes")
    revision = terminal.api.revision()
    terminal.run("set", "cache_ttl", "11", "--where", "environment=dev", "--yes")
    terminal.run("set", "cache_ttl", "5", "--where", "user=a", "--from", "2999-01-01", "--yes")
    terminal.run("settings", "default", "shop.title", "sale", "--yes")
    url = terminal.api.url
    terminal.run("profile", "add", "here", url)
    shown, _ = run(terminal, f"diff here@{revision} {url} --exit-code", 2)
    assert shown.splitlines() == [
        "~ cache_ttl where environment=dev: 10 -> 11",
        '+ cache_ttl where user=a: {"value":5,"from":"2999-01-01T00:00:00Z"}',
        '+ shop.title default: "sale"',
    ]
    assert run(terminal, f"diff here@{revision} @ --settings title")[0].count("\n") == 1
    assert run(terminal, "diff here @ --exit-code")[0] == "Nothing differs.\n"
    file = write(
        "a.yaml", "owner: a\nsettings:\n  cache_ttl:\n    rules:\n      - {where: {environment: dev}, value: 10}\n"
    )
    rows = json.loads(run(terminal, f"diff {file} @ -o json")[0])
    assert [(row["what"], row.get("a"), row.get("b")) for row in rows] == [
        ("where environment=dev", {"value": 10}, {"value": 11}),
        ("where user=a", None, {"value": 5, "from": "2999-01-01T00:00:00Z"}),
    ]
    Path("all.export").write_bytes(terminal.api.get("export").content)
    assert run(terminal, "diff all.export @ --exit-code")[0] == "Nothing differs.\n"


@pytest.mark.parametrize(
    ("side", "status", "message"),
    [
        ("prod", 1, "there is no profile 'prod'"),
        ("sets/a.yaml", 1, "there is no file sets/a.yaml"),
        ("@yesterday", 2, "or 30m, 2h or 7d ago, not 'yesterday'"),
        ("@999999999", 1, "there is no revision 999999999 yet"),
    ],
)
def test_sides_that_do_not_exist(side: str, status: int, message: str, terminal: Terminal) -> None:
    """What cannot be compared is named."""
    assert message in terminal.refused("diff", side, "@", status=status)


def test_settings_are_searched_by_value_and_condition(terminal: Terminal) -> None:
    """A text is found in values, defaults and conditions, whatever the case of its letters."""
    terminal.run("set", "shop.title", "Sale", "--where", "user=john", "--yes")
    terminal.run("settings", "default", "cache_ttl", "4711", "--yes")
    rows = terminal.json("settings", "list", "--search", "sale")
    assert [(row["name"], row["found"]) for row in rows] == [("shop.title", ['where user=john: "Sale"'])]
    assert [row["name"] for row in terminal.json("settings", "list", "--search", "user=JOHN")] == ["shop.title"]
    assert "default: 4711" in terminal.run("settings", "list", "ttl", "--search", "4711")
    assert terminal.json("settings", "list", "--search", "nowhere") == []
