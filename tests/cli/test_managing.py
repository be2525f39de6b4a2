"""The commands that manage settings, against a real service."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token


def test_a_value_is_set_read_explained_and_unset(terminal: Terminal) -> None:
    """The commands of an operator's day, from a rule to its end."""
    made = terminal.try_("set", "cache_ttl", "10", "--where", "environment=dev", "--yes", "--reason", "cold")
    assert made.exit_code == 0, made.output
    assert "+ rule " in made.stderr
    assert "of cache_ttl where environment=dev: 10" in made.stderr
    assert "~ cache_ttl where environment=dev: 60 -> 10" in made.stderr
    assert made.stdout.startswith("Changed in revision ")
    assert terminal.run("get", "cache_ttl", "--context", "environment=dev,user=john") == "10\n"
    assert terminal.run("get", "cache_ttl", "--context", "environment=prod", "--context", "user=john") == "60\n"
    explained = terminal.run("explain", "cache_ttl", "--context", "environment=prod,user=john")
    assert "cache_ttl is 60, by the program's default" in explained
    assert "10 where environment=dev: does not match: environment is prod" in explained
    missing = terminal.refused("get", "cache_ttl", "--context", "user=john")
    assert "the value of cache_ttl depends on more of the context: add --context environment=VALUE" in missing
    partial = terminal.run("explain", "cache_ttl")
    assert "cache_ttl depends on environment, user" in partial
    assert "60 everywhere except where environment=dev, by the program's default" in partial
    unset = terminal.try_("unset", "cache_ttl", "--where", "environment=dev", "--yes")
    assert "- rule " in unset.stderr
    assert terminal.api.rule_ids() == []


def test_a_long_integer_is_refused(terminal: Terminal) -> None:
    """An integer of more than 64 bits is not rounded to a number that JSON can hold."""
    error = terminal.refused("set", "cache_ttl", "9" * 20, "--where", "environment=dev", "--yes", status=2)
    assert f"the integer {'9' * 20} has more than 64 bits" in error
    assert terminal.api.rule_ids() == []
    terminal.run("set", "shop.title", "9" * 20, "--where", "user=john", "--yes")
    assert terminal.run("get", "shop.title", "--context", "user=john") == "9" * 20 + "\n"


def test_nothing_happens_in_a_dry_run(terminal: Terminal) -> None:
    """A dry run shows the same and changes nothing, and a change to what is so already says so."""
    before = terminal.api.history(limit=1)
    result = terminal.try_("settings", "default", "cache_ttl", "45", "--dry-run")
    assert "~ cache_ttl everywhere: 60 -> 45" in result.stderr
    assert "setting cache_ttl: operator_default_value none -> 45" in result.stderr
    assert result.stdout == "Nothing was changed: this was a dry run.\n"
    assert terminal.api.history(limit=1) == before
    terminal.run("settings", "default", "cache_ttl", "45", "--yes")
    assert terminal.run("settings", "default", "cache_ttl", "45", "--yes").startswith("Nothing changed; ")
    terminal.run("settings", "default", "cache_ttl", "--clear", "--yes")
    assert terminal.run("get", "cache_ttl", "--context", "user=a,environment=b") == "60\n"


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("shop.title", "sale", "sale"),
        ("shop.title", "10", "10"),
        ("shop.title", '"10"', "10"),
        ("shop.title", "true", "true"),
        ("shop.open", "true", True),
        ("shop.open", "False", False),
        ("cache_ttl", "10", 10),
    ],
)
def test_values_are_json_or_bare_words(setting: str, text: str, value: object, terminal: Terminal) -> None:
    """A bare word is a text where the type wants one, and JSON stands for itself elsewhere."""
    terminal.run("set", setting, text, "--where", "user=john", "--yes")
    assert [rule["value"] for rule in terminal.api.query()[setting]["rules"]] == [value]
    context = ["--context", "user=john"] + (["--context", "environment=dev"] if setting == "cache_ttl" else [])
    assert terminal.json("get", setting, *context) == value


def test_a_value_that_does_not_fit_is_refused_by_name(terminal: Terminal) -> None:
    """The service's words name the setting and its type."""
    message = terminal.refused("set", "cache_ttl", "ten", "--where", "user=john", "--yes")
    assert "operations[0]: the value does not fit setting 'cache_ttl' of type int" in message


def test_without_a_terminal_nobody_is_asked(terminal: Terminal) -> None:
    """A change without --yes is wrong usage where there is no terminal, and nothing happens."""
    message = terminal.refused("set", "cache_ttl", "10", "--where", "user=john", status=2)
    assert "There is no terminal to ask on; --yes makes the change without asking." in message
    assert terminal.api.rule_ids() == []


def test_settings_are_listed_and_shown(terminal: Terminal) -> None:
    """Lists select by name, with the values in a context; one setting is shown with its rules and last change."""
    terminal.run("set", "shop.title", "sale", "--where", "user=john", "--yes", "--until", "2999-01-31T12:00")
    rows = terminal.json("settings", "list", "shop.", "--context", "user=john")
    assert [(row["name"], row["value"], row["rules"]) for row in rows] == [
        ("shop.open", False, 0),
        ("shop.title", "sale", 1),
    ]
    assert [row["name"] for row in terminal.json("settings", "list", "*_ttl")] == ["cache_ttl"]
    table = terminal.run("settings", "list").splitlines()
    assert re.split("  +", table[0]) == ["NAME", "TYPE", "VALUE", "RULES", "LAST CHANGE"]
    changed = terminal.json("history", "list", "shop.title")[0]
    assert [rows[1]["last_change"][name] for name in ("revision", "time")] == [changed["revision"], changed["time"]]
    when = changed["time"][:16].replace("T", " ")
    assert re.split("  +", table[3]) == ["shop.title", "str", "one of 2", "1", f"{when} anonymous"]
    shown = terminal.run("settings", "show", "shop.title")
    for part in (
        "shop.title (str), version 1.0",
        'default of the program: "shop"',
        '"sale" where user=john',
        "revision",
    ):
        assert part in shown
    (rule,) = terminal.json("rules", "list", "shop.title")
    assert (rule["value"], rule["feature_values"], rule["ends_at"]) == (
        "sale",
        {"user": "john"},
        "2999-01-31T12:00:00Z",
    )
    assert "user=john" in terminal.run("rules", "list", "shop.title")
    assert terminal.json("settings", "show", "shop.title")["rules"][0]["rule_id"] == rule["rule_id"]


def test_settings_are_renamed_protected_and_deleted(terminal: Terminal) -> None:
    """Protected settings change with --break-glass and a reason only."""
    terminal.run("settings", "rename", "shop.open", "shop.is_open", "--yes")
    terminal.run("settings", "protect", "shop.is_open", "--yes")
    assert "protected" in terminal.refused("settings", "delete", "shop.open", "--yes")
    glass = ("--break-glass", "--reason", "fire", "--yes")
    terminal.run("settings", "protect", "shop.is_open", "--off", *glass)
    assert terminal.json("history")[0]["break_glass"] is True
    deleted = terminal.try_("settings", "delete", "shop.open", "--yes")
    assert "- shop.is_open: the setting is deleted" in deleted.stderr
    assert "does not exist" in terminal.refused("settings", "show", "shop.is_open")


def test_the_history_and_a_revert(terminal: Terminal) -> None:
    """Changes are listed by setting, shown whole, and taken back."""
    terminal.run("set", "cache_ttl", "10", "--where", "user=john", "--yes", "--reason", "cold")
    (record, *_) = terminal.json("history", "cache_ttl")
    assert record["reason"] == "cold"
    number = str(record["revision"])
    table = terminal.run("history", "cache_ttl", "--limit", "1").splitlines()
    assert table[1].split()[0] == number
    assert "of cache_ttl where user=john: 10" in table[1]
    assert "reason: cold" in terminal.run("history", "show", number)
    assert terminal.json("history", "--since", "2999-01-01") == []
    dry = terminal.try_("revert", number, "--dry-run")
    assert "+ rule " in dry.stderr
    assert terminal.api.rule_ids() != []
    assert terminal.run("revert", number, "--yes", "--reason", "warm").startswith("Reverted in revision ")
    assert terminal.api.rule_ids() == []
    assert "has conflicts" in terminal.refused("revert", number, "--yes")


def test_formats(terminal: Terminal) -> None:
    """JSON, JSON lines and YAML have the same content."""
    rows = terminal.json("settings", "list")
    assert [json.loads(line) for line in terminal.run("settings", "list", "-o", "jsonl").splitlines()] == rows
    assert yaml.safe_load(terminal.run("settings", "list", "-o", "yaml")) == rows
    made = terminal.json("set", "cache_ttl", "10", "--where", "user=john", "--yes")
    assert made["changes"][0]["after"]["value"] == 10
    assert made["impact"]["value_changes"][0]["region"]["where"] == {"user": "john"}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("get", "nothing"), 1, "setting 'nothing' does not exist"),
        (("get", "cache_ttl", "--context", "user"), 2, "expected FEATURE=VALUE, such as user=john, not 'user'"),
        (("get", "cache_ttl", "--context", "user=a,user=b"), 2, "'user' is given twice"),
        (("get", "cache_ttl", "--context", "colour=red"), 1, "'colour' is not a context feature"),
        (("set", "cache_ttl", "1", "--yes"), 2, "For all contexts: heksherlite settings default cache_ttl 1"),
        (("unset", "cache_ttl", "--yes"), 2, "heksherlite rules list shows the conditions"),
        (("get", "cache_tlt"), 1, "setting 'cache_tlt' does not exist; did you mean cache_ttl?"),
        (("set", "shop.open", "on", "--where", "user=a"), 2, "the setting is true or false, not 'on'"),
        (("set", "cache_ttl", "1", "--where", "user=a", "--until", "soon"), 2, "or 30m, 2h or 7d from now, not 'soon'"),
        (("unset", "cache_ttl", "--where", "user=a", "--yes"), 1, "operations[0]: "),
        (("settings", "default", "cache_ttl"), 2, "Give either VALUE or --clear."),
        (
            ("history", "--since", "yesterday"),
            2,
            "expected a time such as 2030-01-31T12:00, or 30m, 2h or 7d ago, not 'yesterday'",
        ),
        (("get", "cache_ttl", "--url", "http://127.0.0.1:9"), 1, "cannot connect to http://127.0.0.1:9"),
        (("get", "cache_ttl", "--url", "localhost"), 2, "it has no scheme"),
        (("get", "cache_ttl", "--profile", "prod"), 1, "there is no profile 'prod' (there are: none)"),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[str, ...], status: int, message: str, terminal: Terminal) -> None:
    """Wrong usage exits with 2, everything else that fails with 1, with the reason in words."""
    assert message in terminal.refused(*arguments, status=status)


def test_proposals_of_two_people(tmp_path: Path) -> None:
    """Somebody proposes, somebody else looks at it and approves; profiles say who is who."""
    path = tmp_path / "a.db"
    tokens = {
        "jane": make_token(path, "jane", Scope.READ, Scope.PROPOSE),
        "john": make_token(path, "john", *EVERY_SCOPE),
    }
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=tokens["john"])
        with api.http:
            api.declare()
            terminal = Terminal(api, tmp_path)
            terminal.variables.pop("HEKSHER_URL")
            for name, token in tokens.items():
                terminal.run("profile", "add", name, service.url, "--token", token)
            jane, john = ("--profile", "jane"), ("--profile", "john")
            refused = terminal.refused("set", "cache_ttl", "10", "--where", "user=a", "--yes", *jane)
            assert "requires a token with scope write" in refused
            proposed = terminal.try_(
                "set", "cache_ttl", "10", "--where", "user=a", "--propose", "--reason", "cold", *jane
            )
            assert proposed.stdout == "Proposed as number 1.\n"
            assert "~ cache_ttl where user=a: 60 -> 10" in proposed.stderr
            operations = [{"op": "set_default", "setting": "cache_ttl", "value": 45}]
            assert (
                terminal.run("proposals", "create", "-", *jane, sent=json.dumps(operations))
                == "Proposed as number 2.\n"
            )
            assert [
                row["proposal_id"] for row in json.loads(terminal.run("proposals", "list", "-o", "json", *jane))
            ] == [2, 1]
            assert "cold" in terminal.run("proposals", "list", *john)
            terminal.run("proposals", "comment", "1", "why?", *john)
            shown = terminal.try_("proposals", "show", "1", *john)
            assert "token jane" in shown.stdout
            assert "token john: why?" in shown.stdout
            assert "60 -> 10" in shown.stderr
            approved = terminal.run("proposals", "approve", "1", "--yes", "--comment", "fine", *john)
            assert approved.startswith("Applied in revision ")
            assert "is closed" in terminal.refused("proposals", "approve", "1", "--yes", *john)
            terminal.run("proposals", "reject", "2", *john)
            assert (
                terminal.run("proposals", "create", "-", *jane, sent=json.dumps(operations))
                == "Proposed as number 3.\n"
            )
            terminal.run("proposals", "withdraw", "3", *jane)
            assert terminal.run("proposals", "list", *john).splitlines() == ["NUMBER  STATE  BY  OPERATIONS  REASON"]
            wrong = terminal.try_("proposals", "create", "-", *jane, sent='[{"op": "set_defalt"}]')
            assert "operations[0]: 'set_defalt' is not an operation; there are add_context_feature, " in wrong.stderr


def test_profiles(terminal: Terminal, tmp_path: Path) -> None:
    """Profiles are private, one of them is the current one, and their tokens go to their own services only."""
    terminal.variables.pop("HEKSHER_URL")
    url = terminal.api.url
    assert terminal.run("profile", "add", "here", url) == f"Added profile here for {url}. It is the current one.\n"
    terminal.run("profile", "add", "prod", "http://127.0.0.1:9/", "--token", "hkl_secret")
    file = tmp_path / "heksherlite" / "profiles.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert terminal.run("get", "shop.title", "--context", "user=a") == "shop\n"
    listed = terminal.run("profile", "list")
    assert "hkl_secret" not in listed
    assert [row.split()[2:] for row in listed.splitlines()] == [["TOKEN", "CURRENT"], ["no", "yes"], ["yes", "no"]]
    terminal.run("profile", "use", "prod")
    assert "127.0.0.1:9" in terminal.refused("get", "shop.title")
    assert terminal.run("get", "shop.title", "--context", "user=a", HEKSHER_URL=url) == "shop\n"
    assert terminal.run("get", "shop.title", "--context", "user=a", "--profile", "here") == "shop\n"
    both = terminal.refused("get", "shop.title", "--profile", "here", "--url", url, status=2)
    assert "Give either --url or --profile." in both
    terminal.run("profile", "remove", "prod")
    assert "cannot connect to" in terminal.refused("get", "shop.title", "--url", "http://127.0.0.1:9")
    file.chmod(0o644)
    assert f"run chmod 600 {file}" in terminal.refused("profile", "list")
    file.chmod(0o600)
    file.write_text("{}", "utf-8")
    assert "is malformed" in terminal.refused("profile", "list")


@pytest.mark.parametrize("url", ["localhost:80", "http://user:secret@host", "http://host?x=1"])
def test_profiles_need_urls(url: str, terminal: Terminal) -> None:
    """A URL that no command could use is refused at once, without showing a secret."""
    message = terminal.refused("profile", "add", "x", url, status=2)
    assert "Invalid value for URL" in message
    assert "secret" not in message


def test_times_may_be_distances(terminal: Terminal) -> None:
    """An end in two hours, and what happened in the last hour."""
    terminal.run("set", "cache_ttl", "10", "--where", "user=john", "--until", "2h", "--yes")
    (rule,) = terminal.json("rules", "list", "cache_ttl")
    left = datetime.fromisoformat(rule["ends_at"]) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)
    assert terminal.json("history", "--since", "1h")[0]["changes"][0]["rule_id"] == rule["rule_id"]
    assert terminal.json("history", "--until", "1h", "--since", "2h") == []
    deleted = terminal.try_("rules", "delete", str(rule["rule_id"]), "--yes")
    assert "- rule " in deleted.stderr
    assert terminal.api.rule_ids() == []
