"""Settings in files: what is wrong in them, what they change, and what they leave alone."""

import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heksherlite.cli.settings_files import SCHEMA
from heksherlite.service import embedded
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api

CHECKOUT = """\
owner: checkout-team
settings:
  cache_ttl:
    default: 50
    rules:
      - {where: {environment: dev}, value: 10}
      - {where: {environment: dev, user: john}, value: 0, reason: "asked for in #42"}
      - {where: {user: 42}, value: 7, from: 2030-01-01T00:00}
  shop.title:
    rules: []
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(file: str, text: str) -> str:
    Path(file).write_text(text, "utf-8")
    return file


def run(terminal: Terminal, line: str, status: int = 0) -> tuple[str, str]:
    result = terminal.try_(*shlex.split(line))
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_a_file_is_planned_and_applied(terminal: Terminal) -> None:
    """A plan shows each change and for whom values change, and nothing differs after it was applied."""
    write("checkout.yaml", CHECKOUT)
    summary, shown = run(terminal, "plan checkout.yaml --exit-code", 2)
    assert summary == "4 to add, 0 to change, 0 to delete.\n"
    assert "  + cache_ttl where environment=dev,user=john: 0\n" in shown
    assert "  ~ cache_ttl where environment=dev except where user=john: 60 -> 10\n" in shown
    assert terminal.api.rule_ids() == []
    assert "--yes makes the change without asking" in run(terminal, "apply checkout.yaml", 2)[1]
    made, _ = run(terminal, "apply checkout.yaml --yes --reason 'first time'")
    assert made.startswith("Changed in revision ")
    assert terminal.json("history", "--limit", "1")[0]["reason"] == "first time"
    assert terminal.run("get", "cache_ttl", "--context", "environment=dev,user=john") == "0\n"
    (john,) = [rule for rule in terminal.json("rules", "list", "cache_ttl") if "reason" in rule["metadata"]]
    assert john["metadata"]["managed_by"] == "checkout-team"
    assert run(terminal, "plan checkout.yaml --exit-code") == ("Nothing differs.\n", "")
    assert run(terminal, "apply checkout.yaml --yes")[0] == "Nothing was changed. Nothing differs.\n"


def test_what_others_did_is_left_alone(terminal: Terminal) -> None:
    """Rules that others made or changed are shown, and are overwritten by --force and deleted by --prune only."""
    write("checkout.yaml", CHECKOUT)
    run(terminal, "apply checkout.yaml --yes")
    run(terminal, "set cache_ttl 99 --where environment=dev --yes")
    run(terminal, "set cache_ttl 1 --where user=eve --yes")
    summary, shown = run(terminal, "plan checkout.yaml --exit-code", 2)
    assert "! cache_ttl where environment=dev: 99 -> 10 (somebody has changed this rule since" in shown
    assert "? cache_ttl where user=eve: 1\n" in shown
    assert summary == (
        "0 to add, 0 to change, 0 to delete; 1 changed by others, which --force overwrites;"
        " 1 not in the files, which --prune deletes.\n"
    )
    run(terminal, "apply checkout.yaml --yes --exit-code", 2)
    assert terminal.run("get", "cache_ttl", "--context", "environment=dev,user=a") == "99\n"
    run(terminal, "apply checkout.yaml --yes --force --prune")
    assert terminal.run("get", "cache_ttl", "--context", "environment=dev,user=a") == "10\n"
    assert terminal.run("get", "cache_ttl", "--context", "environment=prod,user=eve") == "50\n"
    assert run(terminal, "plan checkout.yaml --exit-code")[0] == "Nothing differs.\n"


def test_hidden_files_are_not_settings(terminal: Terminal) -> None:
    """The root of a repository can be a folder of settings: workflows and the files of tools are left out."""
    for file in (".github/workflows/ci.yaml", ".pre-commit-config.yaml", "team/.cache/x.json"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        write(file, "[]")
    _, hidden = run(terminal, "validate .", status=1)
    assert ".: the folder has no files that end with .yaml, .json or .toml\n" in hidden
    write("team/checkout.yaml", CHECKOUT)
    assert run(terminal, "validate .")[0] == "2 settings are valid.\n"


def test_two_owners(terminal: Terminal) -> None:
    """A file does not take over the rules of another owner, neither by changing nor by pruning them."""
    write("checkout.yaml", CHECKOUT)
    run(terminal, "apply checkout.yaml --yes")
    mine = "owner: search\nsettings:\n  cache_ttl:\n    rules:\n      - {where: {environment: dev}, value: 11}\n"
    write("search.yaml", mine)
    _, shown = run(terminal, "plan search.yaml --prune --exit-code", 2)
    assert "! cache_ttl where environment=dev: 10 -> 11 (managed by checkout-team)" in shown
    assert "! cache_ttl where environment=dev,user=john: 0 (managed by checkout-team)" in shown
    run(terminal, "apply search.yaml --yes --prune --force")
    assert len(terminal.json("rules", "list", "cache_ttl")) == 1
    both, _ = run(terminal, "validate checkout.yaml search.yaml", 1), None
    assert "search.yaml:3:3: setting cache_ttl is at checkout.yaml:3:3 too\n" in both[1]


def test_a_saved_plan_is_applied_exactly_or_refused(terminal: Terminal) -> None:
    """A saved plan does what it showed, whatever the files say by then. If what it touches has moved, it is refused."""
    write("checkout.yaml", CHECKOUT)
    run(terminal, "plan checkout.yaml --out first.json")
    run(terminal, "plan checkout.yaml --out second.json")
    write("checkout.yaml", "owner: other\nsettings: {}\n")
    run(terminal, "set shop.open true --where user=a --yes")
    assert run(terminal, "apply first.json --yes")[0].startswith("Changed in revision ")
    run(terminal, "set cache_ttl 99 --where environment=dev --yes")
    refused = run(terminal, "apply second.json --yes", 1)[1]
    assert "cache_ttl" in refused
    assert terminal.run("get", "cache_ttl", "--context", "environment=dev,user=a") == "99\n"
    write("old.json", json.dumps({"format": "heksherlite-plan", "version": 0}))
    assert "make it again" in run(terminal, "apply old.json --yes", 1)[1]


@pytest.mark.thorough
def test_a_saved_plan_is_refused_by_another_service(terminal: Terminal, tmp_path: Path) -> None:
    """Ids and revisions mean something else in another database. A plan for one may not delete the rules of another."""
    terminal.run("set", "cache_ttl", "1", "--where", "user=x", "--yes")
    write("none.yaml", "owner: a\nsettings:\n  cache_ttl:\n    rules: []\n")
    run(terminal, "plan none.yaml --prune --out saved.plan")
    with embedded(tmp_path / "other.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare()
            other = Terminal(api, tmp_path)
            while api.add_rule(2, user=f"u{len(api.rule_ids())}") < max(terminal.api.rule_ids()):
                pass
            base = int(json.loads(Path("saved.plan").read_text("utf-8"))["base_revision"].partition("-")[0])
            while other.json("history", "--limit", "1")[0]["revision"] < base:
                api.add_rule(2, user=f"u{len(api.rule_ids())}")
            before = api.state()
            assert "it is of another service" in run(other, "apply saved.plan --yes", 1)[1]
            assert api.state() == before
    assert run(terminal, "apply saved.plan --yes")[0].startswith("Changed in revision ")
    assert terminal.api.rule_ids() == []


def test_values_are_what_the_file_says(terminal: Terminal) -> None:
    """Zeros before a number stay, JSON escapes are those of JSON, and large numbers are numbers, not failures."""
    write("zeros.yaml", 'owner: a\nsettings:\n  shop.title:\n    rules:\n      - {where: {user: 007}, value: "x"}\n')
    assert "+ shop.title where user=007:" in run(terminal, "plan zeros.yaml")[1]
    texts = ["\U0001f600", "\\/", "/", "\\ud83d\\ude00", "a\u2028b", "\x85"]
    rules = [{"where": {"user": f"u{index}"}, "value": text} for index, text in enumerate(texts)]
    shown = {"owner": "a", "settings": {"shop.title": {"rules": rules}}}
    for is_ascii in (True, False):
        write("texts.json", json.dumps(shown, ensure_ascii=is_ascii).replace('"/"', '"\\/"'))
        run(terminal, "apply texts.json --yes")
        assert [rule["value"] for rule in terminal.json("rules", "list", "shop.title")] == texts
        assert run(terminal, "plan texts.json --exit-code")[0] == "Nothing differs.\n"
    terminal.api.declare("ratio", type="float", default_value=1.0, configurable_features=["user"])
    large = (
        "owner: a\nsettings:\n  ratio:\n    default: 1e300\n"
        "    rules:\n      - {where: {user: a}, value: 99999999999999999999}\n"
    )
    run(terminal, f"apply {write('large.yaml', large)} --yes")
    assert run(terminal, "plan large.yaml --exit-code")[0] == "Nothing differs.\n"
    write("large.toml", f"owner = 'a'\n[settings.ratio]\ndefault = {'9' * 400}\n")
    assert "large.toml: inf is not a number in JSON" in run(terminal, "validate large.toml", 1)[1]


def test_every_fault_is_reported_with_its_place(terminal: Terminal) -> None:
    """All faults of all files are reported at once."""
    text = """\
owner: ""
settigs: 1
settings:
  cache_ttl:
    defualt: 5
    rules:
      - {where: {}, value: 1}
      - {where: {user: true}, value: 1}
      - {where: {user: "a b"}, value: 1}
      - {value: 1}
      - {where: {user: a}, value: 1, from: tomorrow}
      - {where: {user: b}, value: 1, from: 2030-01-02T00:00, until: 2030-01-01T00:00}
      - {where: {user: b}, value: 2}
      - 5
  bad name: {}
  cache_ttl: {}
"""
    lines = [
        "bad.yaml:1:8: the owner must be a text that is not empty",
        "bad.yaml:2:10: the file has no field 'settigs'; did you mean settings?",
        "bad.yaml:5:14: setting cache_ttl has no field 'defualt'; did you mean default?",
        "bad.yaml:7:10: where must be an object such as {environment: dev}, with at least one condition",
        "bad.yaml:8:24: the value of user must be a text; put it into quotes",
        "bad.yaml:9:24: 'a b' is not a value of a context feature: use letters, digits and _.@+=~/-",
        "bad.yaml:10:9: a rule needs where",
        "bad.yaml:11:44: 'tomorrow' is not a time such as 2030-01-31T12:00",
        "bad.yaml:12:69: until must be after from",
        "bad.yaml:13:9: setting cache_ttl has a rule with the same conditions at bad.yaml:12:9",
        "bad.yaml:14:9: a rule must be an object with value and where",
        "bad.yaml:15:3: 'bad name' is not a name of a setting: use letters, digits, _ and .",
        "bad.yaml:16:3: the key 'cache_ttl' is there twice",
    ]
    write("bad.yaml", text)
    write("broken.json", '{"owner": "a", "settings": {')
    write("broken.toml", "owner = \n")
    files = "bad.yaml broken.json broken.toml missing.yaml notes.txt"
    write("notes.txt", "")
    _, shown = run(terminal, f"validate {files}", 1)
    reported = shown.splitlines()
    assert sorted(reported[:13]) == sorted(lines)
    assert [line.split(":")[0] for line in reported[13:17]] == files.split()[1:]
    assert reported[17] == "Error: 17 faults in the files."
    annotations, _ = run(terminal, "validate --format github bad.yaml", 1)
    assert "::error file=bad.yaml,line=8,col=24::the value of user must be a text; put it into quotes\n" in annotations


def test_what_the_service_refuses_is_reported_with_its_place(terminal: Terminal) -> None:
    """With --online, and in plans, the service checks names, conditions and values."""
    text = """\
owner: a
settings:
  cache_ttl:
    default: many
    rules:
      - {where: {environment: dev}, value: text}
      - {where: {environment: prod, theme: dark}, value: 1}
"""
    write("wrong.yaml", text)
    run(terminal, "validate wrong.yaml")
    for command in ("validate --online", "plan", "apply --yes"):
        lines = run(terminal, f"{command} wrong.yaml", 1)[1].splitlines()
        assert [line.split(": ")[0] for line in lines] == [
            "wrong.yaml:4:14",
            "wrong.yaml:6:9",
            "wrong.yaml:7:9",
            "Error",
        ]
        assert "'many' is not of type int" in lines[0]
    write("unknown.yaml", "owner: a\nsettings:\n  cache_tll: {}\n")
    unknown = run(terminal, "plan unknown.yaml", 1)[1]
    assert "unknown.yaml:3:3: the service has no setting cache_tll; did you mean cache_ttl?\n" in unknown
    terminal.run("settings", "rename", "cache_ttl", "new_name", "--yes")
    write("renamed.yaml", "owner: a\nsettings:\n  cache_ttl: {}\n")
    assert "setting cache_ttl is now named new_name" in run(terminal, "plan renamed.yaml --wait 0.1", 1)[1]


def test_json_and_toml_say_the_same(terminal: Terminal) -> None:
    """The three formats have the same content, and a folder is read with all its files."""
    write("checkout.yaml", CHECKOUT)
    run(terminal, "apply checkout.yaml --yes")
    content = yaml.safe_load(CHECKOUT.replace("2030-01-01T00:00", '"2030-01-01T00:00"'))
    Path("settings").mkdir()
    write("settings/a.json", json.dumps(content, indent="\t"))
    assert run(terminal, "plan settings --exit-code")[0] == "Nothing differs.\n"
    Path("settings/a.json").unlink()
    toml = """\
owner = "checkout-team"
[settings.cache_ttl]
default = 50
rules = [
  {where = {environment = "dev"}, value = 10},
  {where = {environment = "dev", user = "john"}, value = 0, reason = "asked for in #42"},
  {where = {user = "42"}, value = 7, from = 2030-01-01T00:00:00Z},
]
[settings."shop.title"]
rules = []
"""
    write("settings/b.toml", toml)
    assert run(terminal, "plan settings --exit-code")[0] == "Nothing differs.\n"
    Path("empty").mkdir()
    assert "the folder has no files" in run(terminal, "plan empty", 1)[1]


def test_a_dump_is_what_the_service_has(terminal: Terminal) -> None:
    """A file that was dumped adopts the rules of a service: only their owner changes."""
    for value, user in (("yes", "a"), ("1e5", "b"), ("12", "c"), ("null", "d"), ("a: b # c", "e"), ("2030-01-31", "f")):
        terminal.run("set", "shop.title", value, "--where", f"user={user}", "--yes")
    terminal.run("settings", "default", "shop.title", "true", "--yes")
    run(terminal, "dump 'shop.*' --owner shop --output dumped.yaml")
    _, shown = run(terminal, "plan dumped.yaml --exit-code", 2)
    assert "it becomes managed here" in shown
    assert "!" not in shown
    assert "->" not in shown
    run(terminal, "apply dumped.yaml --yes")
    assert run(terminal, "plan dumped.yaml --exit-code")[0] == "Nothing differs.\n"
    assert run(terminal, "dump shop --owner shop")[0] == Path("dumped.yaml").read_text("utf-8")
    assert "no setting that matches 'nothing'" in run(terminal, "dump nothing --owner a", 1)[1]


def _conditions(rule: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset(rule["where"].items())


RULES: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "where": st.dictionaries(st.sampled_from(["environment", "user"]), st.sampled_from("ab"), min_size=1),
            "value": st.integers(0, 2),
        },
        optional={"reason": st.sampled_from(["x", "y: #z"]), "until": st.just("2040-01-01T00:00")},
    ),
    max_size=4,
    unique_by=_conditions,
)
CONTENTS = st.fixed_dictionaries({}, optional={"default": st.integers(0, 2), "rules": RULES})


@given(
    before=CONTENTS, others=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=2), after=CONTENTS
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12)
def test_nothing_differs_after_a_file_was_applied(
    terminal: Terminal, before: Mapping[str, Any], others: list[tuple[str, int]], after: Mapping[str, Any]
) -> None:
    """Whatever was applied before, and whatever others did: after a file was applied by force, nothing differs."""
    terminal.api.reset()
    terminal.api.declare()
    for number, content in enumerate((before, after)):
        shown = {"owner": f"team {number % 2}", "settings": {"cache_ttl": dict(content)}}
        write("f.yaml", yaml.safe_dump(shown))
        run(terminal, "apply f.yaml --yes --force --prune")
        assert run(terminal, "plan f.yaml --prune --exit-code")[0] == "Nothing differs.\n"
        for user, value in others:
            terminal.run("set", "cache_ttl", str(value), "--where", f"user={user}", "--yes")


def test_the_published_schema_accepts_what_the_command_accepts(terminal: Terminal) -> None:
    """Editors get a JSON Schema that accepts valid files, and refuses what is wrong in their structure."""
    validator = jsonschema_rs.validator_for(dict(SCHEMA))
    good = yaml.safe_load(CHECKOUT.replace("2030-01-01T00:00", '"2030-01-01T00:00"'))
    assert validator.is_valid(good)
    assert json.loads(run(terminal, "validate --print-schema")[0]) == SCHEMA
    for wrong in ({}, {**good, "more": 1}, {**good, "owner": ""}, {**good, "settings": {"a b": {}}}):
        assert not validator.is_valid(wrong)
        assert terminal.try_("validate", write("wrong.json", json.dumps(wrong))).exit_code == 1


EXAMPLE = Path(__file__).parents[2] / "examples" / "gitops"


def test_the_example_of_a_workflow(terminal: Terminal, tmp_path: Path) -> None:
    """The commands of the workflow: a pull request's plan, a merge, a person's change, and the report of the night."""
    shutil.copytree(EXAMPLE / "settings", tmp_path / "settings")
    jobs = yaml.safe_load(EXAMPLE.joinpath("workflow.yaml").read_text("utf-8"))["jobs"]
    commands = {
        name: [step["run"] for step in job["steps"] if step.get("run", "").startswith("heksherlite ")]
        for name, job in jobs.items()
    }
    assert {name: len(found) for name, found in commands.items()} == {"plan": 2, "apply": 1, "drift": 1}

    def job(name: str, status: int = 0) -> str:
        printed = ""
        result = None
        for command in commands[name]:
            result = terminal.try_(*shlex.split(command)[1:])
            printed += result.output
        assert result is not None
        assert result.exit_code == status, printed
        return printed

    assert "3 to add, 0 to change, 0 to delete." in job("plan")
    assert "Changed in revision" in job("apply")
    job("drift")
    terminal.run("set", "cache_ttl", "99", "--where", "environment=dev", "--yes")
    assert "somebody has changed this rule since it was applied" in job("drift", 2)
    file = tmp_path / "settings" / "checkout.yaml"
    file.write_text(file.read_text("utf-8").replace("default: 50", "default: many"), "utf-8")
    assert "::error file=settings/checkout.yaml,line=4,col=14::" in job("plan", 1)
