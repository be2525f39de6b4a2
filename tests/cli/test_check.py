"""A program's settings are compared with a service, and nothing is declared."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

PROGRAM = """\
from enum import Enum
from heksherlite import Setting


class Size(Enum):
    SMALL = "s"


same = Setting("cache_ttl", int, ["environment", "user"], default_value=60, version="1.0")
narrowed = Setting("shop.title", Size, ["user"], default_value=Size.SMALL, version="2.0")
renamed = Setting("shop.is_open", bool, ["user"], default_value=False, alias="shop.open", version="1.1")
fewer = Setting("limit", int, ["user"], default_value=1, version="2.0")
new = Setting("brand_new", float, ["user"], default_value=0.5)
early = Setting("too_early", int, ["user"], default_value=5, version="1.3")


@same.add_validator
def check(value, rule, setting):
    if value > 100:
        raise TypeError("more than 100 s")
    return value
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(terminal: Terminal, *arguments: str, status: int = 0) -> str:
    """Run the command in a process of its own, because it imports modules."""
    done = subprocess.run(
        [sys.executable, "-m", "heksherlite", "check", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**terminal.variables, "HEKSHER_TOKEN": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_each_difference_is_named(terminal: Terminal) -> None:
    """A validator that rejects a rule, a narrowed type, a renamed setting, a removed feature: each is named."""
    api = terminal.api
    api.declare("limit", configurable_features=["environment", "user"], default_value=1)
    long = api.add_rule(500, environment="dev")
    title = api.add_rule("large", setting="shop.title", user="a")
    api.add_rule(1, setting="limit", environment="dev")
    terminal.run("settings", "default", "cache_ttl", "200", "--yes")
    Path("shop_settings.py").write_text(PROGRAM, "utf-8")
    before = api.state()
    shown = run(terminal, "shop_settings", "--exit-code", status=2)
    assert api.state() == before
    lines = {line.split()[0]: line for line in shown.splitlines() if line and ": " not in line.split("  ")[0]}
    assert lines["cache_ttl"].split()[1] == "uptodate"
    assert lines["brand_new"].split()[1] == "created"
    assert lines["shop.is_open"].split()[1] == "upgraded"
    assert "name (minor): the service has" in lines["shop.is_open"]
    assert lines["limit"].split()[1] == "rejected"
    assert lines["shop.title"].split()[1] == "rejected"
    assert lines["too_early"].split()[1] == "refused"
    assert "a new setting must have version 1.0" in lines["too_early"]
    assert f"cache_ttl: rule {long} where environment=dev: the value 500 is rejected: more than 100 s" in shown
    assert "cache_ttl: the operator's default: the value 200 is rejected: more than 100 s" in shown
    assert f'shop.title: rule {title} where user=a: the value "large" is rejected' in shown


def test_what_is_wrong_with_the_module_is_said(terminal: Terminal) -> None:
    """A module that cannot be imported, or has no settings, is an error in one line."""
    Path("broken.py").write_text("import nothing_like_this\n", "utf-8")
    Path("empty.py").write_text("", "utf-8")
    program = "import heksherlite\nttl = heksherlite.Setting('x', int, ['user'], default_value=60)\n"
    Path("fine.py").write_text(program, "utf-8")
    assert "cannot import broken: ModuleNotFoundError" in run(terminal, "broken", status=1)
    assert "empty declares no settings" in run(terminal, "empty", status=1)
    assert "there is no profile 'prod'" in run(terminal, "fine", "--against", "prod", status=1)


def test_nothing_differs_after_the_program_has_run(terminal: Terminal) -> None:
    """A program whose settings are declared differs in nothing, and rules that fit are accepted."""
    Path("fine.py").write_text(
        "import heksherlite\nttl = heksherlite.Setting('cache_ttl', int, ['environment', 'user'], default_value=60)\n",
        "utf-8",
    )
    terminal.api.add_rule(5, environment="dev")
    shown = run(terminal, "fine", "--exit-code", "-o", "json")
    assert '"outcome": "uptodate"' in shown
    assert '"rejected": []' in shown


def test_settings_that_no_program_declares_any_more(terminal: Terminal) -> None:
    """What only the service has is listed with its last declaration, and does not change the exit status."""
    program = (
        "import heksherlite\nttl = heksherlite.Setting('cache_ttl', int, ['environment', 'user'], default_value=60)\n"
    )
    Path("one.py").write_text(program, "utf-8")
    shown = run(terminal, "one", "--exit-code", "--undeclared-for", "0")
    lines = [line.split() for line in shown.splitlines()]
    assert [line[:4] for line in lines[2:]] == [
        ["shop.open", "undeclared", "last", "declared"],
        ["shop.title", "undeclared", "last", "declared"],
    ]
    assert "shop" not in run(terminal, "one", "--undeclared-for", "30")
