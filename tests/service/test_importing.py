"""``heksherlite export`` of a database, and ``heksherlite import`` of the file."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.tokens import WITH_TOKENS, make_token
from tests.waiting import until

BODY = [
    {"setting": {
        "name": "x", "type": "int", "default_value": 0, "configurable_features": ["environment", "user"],
        "version": "1.0", "metadata": {}, "aliases": [],
    }},
    {"rule": {"rule_id": 1, "feature_values": {"user": "a"}, "value": 1, "metadata": {}}},
    {"rule": {"rule_id": 2, "feature_values": {"user": "b"}, "value": 2, "metadata": {}}},
]  # fmt: skip
LINES: list[Any] = [
    {"format": "heksherlite-export", "version": 1, "context_features": FEATURES},
    *BODY,
    {"end": {"settings": 1, "rules": 2, "last_rule_id": 2}},
]


def run(*arguments: str | Path, **variables: str) -> Result:
    return CliRunner().invoke(heksherlite, [*map(str, arguments)], env=variables)


def imported(file: Path, database: str, *options: str) -> Result:
    result = run("import", file, "--database", database, *options)
    assert result.exit_code == 0, result.output
    return result


def exported(database: str, file: Path) -> bytes:
    result = run("export", "--database", database, "--output", file)
    assert (result.exit_code, result.output) == (0, "")
    return file.read_bytes()


@contextmanager
def serving(database: str) -> Iterator[Api]:
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with an export: one setting with two rules."""
    return write(tmp_path / "export.jsonl", LINES)


def write(file: Path, lines: list[Any]) -> Path:
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


def fill(api: Api) -> None:
    """Create settings and rules of all kinds, some of them through changes."""
    api.declare("old", metadata={"owner": "é"})
    api.call("PUT", "settings/old/name", {"name": "cache_ttl", "version": "2.7"})
    api.declare("colors", type='Flags["red",2,null]', default_value=[2], configurable_features=["theme", "user"])
    api.declare("limits", type="Mapping<Sequence<float>>", default_value={"a": [1.0, 1e300, -0.0]})
    api.declare("unruly")
    api.declare("named", type="Json", default_value=None, schema={"anyOf": [{"type": "null"}, {"minLength": 1}]})
    for number in range(20):
        api.add_rule(number, user=f"u{number}")
        api.add_rule([2, "red"], "colors", user=f"ü{number}", theme="dark")
    api.call("PUT", "rules/3/metadata", {"metadata": {"why": [None, True]}})
    for starts_at, ends_at in [("2001-01-01T00:00:00Z", None), ("2100-01-01T00:00:00.5Z", "2101-01-01T00:00:00Z")]:
        rule = {"setting": "limits", "feature_values": {"user": f"x{starts_at[:4]}"}, "value": {}}
        api.call("POST", "rules", {**rule, "starts_at": starts_at, "ends_at": ends_at}).raise_for_status()
    gone = api.add_rule(1, environment="gone")
    api.call("DELETE", f"rules/{gone}")
    api.call("PATCH", "context_features/theme/index", {"to_before": "environment"})


def state_with_schedules(api: Api) -> Any:
    rules = [api.get(f"rules/{rule_id}") for rule_id in range(1, 60)]
    return api.state(), [rule.json() for rule in rules if rule.status_code == 200]


def test_everything_comes_back(new_database: Callable[[], str], tmp_path: Path) -> None:
    """An import restores the settings, rules and order of context features, and gives the same export."""
    source, target = new_database(), new_database()
    with embedded(source, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            fill(api)
            marks = [
                {"op": "set_client_visible", "setting": "colors", "client_visible": True},
                {"op": "set_protection", "setting": "limits", "protected": True},
            ]
            api.call("POST", "changes", {"operations": marks}).raise_for_status()
            before = state_with_schedules(api)
    first = exported(source, tmp_path / "first")
    result = imported(tmp_path / "first", target)
    assert result.output.startswith("Imported 5 settings with 42 rules into ")
    assert exported(target, tmp_path / "second") == first
    with embedded(target) as service:
        api = Api(service.url)
        with api.http:
            assert state_with_schedules(api) == before
            assert api.add_rule(1, environment="new") == 44  # 43 is the one that was deleted


def test_a_service_notices(database: str, file: Path) -> None:
    """A running service serves what was imported, and its history names the command line."""
    with serving(database) as api:
        imported(file, database)
        until(lambda: api.rule_ids("x") == [1, 2] if api.query() else False)
        record = api.history(limit=1)[0]
        assert record["author"]["kind"] == "command_line"
        assert record["reason"] == f"import of {file}"
        assert [change["kind"] for change in record["changes"]] == ["setting", "rule", "rule"]
        assert api.query(at=record["revision"] - 1) == {}
        assert api.add_rule(3, "x", user="c") == 3


def test_existing_settings_are_only_replaced_on_request(database: str, file: Path) -> None:
    """Existing settings make an import fail. With --replace they are deleted, and remain in the history."""
    with serving(database) as api:
        api.declare("x", type="str", default_value="", configurable_features=["theme"])
        api.declare("y")
        api.add_rule("other", "x", theme="dark")
        api.call("POST", "context_features", {"context_feature": "unused"})
        before, revision = api.query(), api.revision()
        refused = run("import", file, "--database", database)
        assert refused.exit_code == 1
        assert refused.output == (
            "Error: there are 2 settings already; --replace would delete them first. nothing was changed\n"
        )
        assert (api.query(), api.revision()) == (before, revision)
        imported(file, database, "--replace")
        until(lambda: "y" not in api.query())
        assert api.query()["x"]["rules"][0] == {"rule_id": 1, "value": 1, "context_features": [["user", "a"]]}
        assert (list(api.query()), api.features()) == (["x"], FEATURES)
        assert api.query(at=revision) == before


@pytest.mark.thorough
def test_a_setting_with_very_many_rules_is_replaced(database: str, tmp_path: Path) -> None:
    """--replace of one setting with 100,000 rules leaves nothing of it."""
    rules = [
        {"rule": {"rule_id": number, "feature_values": {"user": f"u{number}"}, "value": number, "metadata": {}}}
        for number in range(1, 100_001)
    ]
    end = {"end": {"settings": 1, "rules": len(rules), "last_rule_id": len(rules)}}
    many, few = write(tmp_path / "many", [LINES[0], BODY[0], *rules, end]), write(tmp_path / "few", LINES)
    with serving(database) as api:

        def served() -> list[Any]:
            # While it reads the rules of an import, the service answers 503 to those who know of the import.
            response = api.get("query", settings="x")
            return response.json()["settings"]["x"]["rules"] if response.status_code == 200 else []

        imported(many, database, "--block-writes")
        until(lambda: len(served()) == len(rules))
        imported(few, database, "--replace", "--block-writes")
        until(lambda: len(served()) == 2)
        assert api.add_rule(3, "x", user="after") > len(rules)


def test_writes_meanwhile_are_kept_or_refused(database: str, tmp_path: Path) -> None:
    """Writes during an import are kept or refused, and none is 500."""
    rules = [
        {"rule": {"rule_id": number, "feature_values": {"user": f"u{number}"}, "value": 0, "metadata": {}}}
        for number in range(1, 3001)
    ]
    end = {"end": {"settings": 1, "rules": 3000, "last_rule_id": 3000}}
    many = write(tmp_path / "many", [LINES[0], BODY[0], *rules, end])
    acknowledged: dict[int, str] = {}
    statuses = set()
    with serving(database) as api:
        api.declare("x", configurable_features=["environment", "user"])
        done = threading.Event()

        def add_rules() -> None:
            number = 0
            while not done.is_set() or number < 30:
                number += 1
                body = {"setting": "x", "feature_values": {"environment": f"e{number}"}, "value": number}
                response = api.call("POST", "rules", body)
                statuses.add(response.status_code)
                if response.status_code == 201:
                    acknowledged[response.json()["rule_id"]] = f"e{number}"

        writer = threading.Thread(target=add_rules)
        writer.start()
        try:
            imported(many, database, "--replace")
        finally:
            done.set()
            writer.join()
        later = {rule_id: value for rule_id, value in acknowledged.items() if rule_id > 3000}
        served = {rule["rule_id"]: rule["context_features"] for rule in api.query()["x"]["rules"]}
        assert len(served) == 3000 + len(later)
        assert all(served[rule_id] == [["environment", value]] for rule_id, value in later.items())
    assert statuses <= {201, 503}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """Return a database with one setting and two rules, and its export."""
    folder = tmp_path_factory.mktemp("filled")
    database = f"sqlite:///{folder}/a.db"
    imported(write(folder / "good", LINES), database)
    return database, exported(database, folder / "before")


def deep(levels: int) -> dict[str, Any]:
    """Return metadata that is nested."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"k": value}
    return value


def changed(number: int, **fields: Any) -> list[Any]:
    """Return the lines with another one in place of one of them."""
    ((kind, record),) = LINES[number].items()
    return [*LINES[:number], {kind: {**record, **fields}}, *LINES[number + 1 :]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: this is not what heksherlite export wrote"),
        (["\0\1 no text"], "line 1: this is not what heksherlite export wrote"),
        (['{"format":"heksherlite-snapshot","version":1}'], "line 1: this is a snapshot, from which programs start"),
        ([{**LINES[0], "version": 2}], "line 1: a newer heksherlite wrote this: version 2, and this one reads 1"),
        ([{**LINES[0], "context_features": ["a", "a b"]}], "line 1: context_features: 1: 'a b' is not a valid"),
        ([{**LINES[0], "context_features": ["a", "a"]}], "line 1: context_features: the names must be distinct"),
        (LINES[:3], "line 4: the file was cut off: it has no end"),
        ([*LINES[:3], '{"rule":{"rul'], "line 4: not JSON, or cut off"),
        ([*LINES[:1], [], *LINES[1:]], "line 2: expected an object with one member"),
        ([*LINES[:1], {"sitting": 1}], "line 2: expected a setting, a rule or the end"),
        ([LINES[0], LINES[2]], "line 2: rule 1 of setting '': a rule must follow its setting"),
        ([*LINES, LINES[1]], "line 6: there is something behind the end"),
        ([*LINES[:3], LINES[4]], "line 4: there should be 1 settings and 2 rules before it, and there are 1 and 1"),
        (changed(4, last_rule_id=1), "line 5: last_rule_id is 1, and there is a rule 2"),
        (changed(1, type="ant"), "line 2: setting 'x': type: invalid type 'ant'"),
        (changed(1, default_value="a"), "line 2: setting 'x': the default value does not fit setting 'x' of type int"),
        (changed(1, version=1), "line 2: setting 'x': version: a version is MAJOR.MINOR"),
        (changed(1, version=[1]), "line 2: setting 'x': version: a version must be a string"),
        (changed(1, aliases=["x"]), "line 2: setting 'x': the name 'x' belongs to setting 'x'"),
        (changed(1, configurable_features=["b"]), "line 2: setting 'x': context features ['b'] do not exist"),
        (changed(1, metadata=deep(240)), "line 2: this cannot be stored as JSON: Recursion limit reached"),
        (changed(1, metadata=deep(900)), "line 2: this cannot be stored as JSON: Recursion limit reached"),
        (changed(1, extra=1), "line 2: setting 'x': extra: Extra inputs are not permitted"),
        (changed(3, rule_id=1), "line 4: rule 1 of setting 'x': there is another rule with this id"),
        (changed(3, rule_id=0), "line 4: rule 0 of setting 'x': rule_id: "),
        (changed(3, value="a"), "line 4: rule 2 of setting 'x': the value does not fit setting 'x' of type int: 'a'"),
        (changed(3, feature_values={"user": "a"}), "line 4: rule 2 of setting 'x': rule 1 has the same conditions"),
        (changed(3, feature_values={"theme": "a"}), "line 4: rule 2 of setting 'x': setting 'x' is not configurable"),
        (changed(3, feature_values={"user": "a b"}), "line 4: rule 2 of setting 'x': feature_values: user: 'a b'"),
        (changed(3, phase="active"), "line 4: rule 2 of setting 'x': phase comes with starts_at or ends_at"),
    ],
)  # fmt: skip
def test_a_bad_file_changes_nothing(lines: list[Any], message: str, filled: tuple[str, bytes], tmp_path: Path) -> None:
    """A malformed file is reported in one line with the position, and the database is unchanged."""
    database, before = filled
    result = run("import", write(tmp_path / "bad", lines), "--database", database, "--replace")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: import of {tmp_path}/bad: {message}")
    assert result.output.endswith("; nothing was changed\n")
    assert result.output.count("\n") == 1
    assert exported(database, tmp_path / "after") == before


def test_from_standard_input_to_standard_output(file: Path, tmp_path: Path) -> None:
    """With ``-``, both commands use the standard streams, and write nothing else to them."""
    database = f"sqlite:///{tmp_path}/a.db"
    result = CliRunner().invoke(heksherlite, ["import", "-", "--database", database], input=file.read_bytes())
    assert result.exit_code == 0, result.output
    command = [sys.executable, "-W", "error", "-m", "heksherlite", "export", "--database", database, "--output", "-"]
    written = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert (written.returncode, written.stderr) == (0, b"")
    assert [json.loads(line) for line in written.stdout.splitlines()] == LINES


@pytest.mark.thorough
def test_a_terminal_shows_progress(file: Path, tmp_path: Path) -> None:
    """A terminal shows a progress bar. The standard output only has the result."""
    command = [sys.executable, "-m", "heksherlite", "import", str(file), "--database", f"sqlite:///{tmp_path}/a.db"]
    terminal, end = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        output, _ = process.communicate(timeout=120)
    shown = os.read(terminal, 10_000)
    os.close(terminal)
    assert b"importing" in shown
    assert b"100%" in shown
    assert output == f"Imported 1 settings with 2 rules into {tmp_path}/a.db\n".encode()


def test_a_service_of_ours_as_the_source(tmp_path: Path) -> None:
    """From this service, everything that the token allows is imported. The token comes from the environment."""
    source, target = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    token = make_token(tmp_path / "a.db", "everything", *Scope)
    limited = make_token(tmp_path / "a.db", "limited", Scope.READ, setting_prefix="co")
    with embedded(source, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=token)
        with api.http:
            fill(api)
            refused = run("import", "--from-url", service.url, "--database", target)
            assert (refused.exit_code, "requires a token with scope read" in refused.output) == (1, True)
            copied = run("import", "--from-url", service.url, "--database", target, HEKSHER_TOKEN=token)
            assert copied.exit_code == 0, copied.output
            assert exported(target, tmp_path / "b") == exported(source, tmp_path / "a")
            some = run("import", "--from-url", service.url, "--database", target, "--replace", HEKSHER_TOKEN=limited)
            assert some.output.startswith("Imported 1 settings with 20 rules")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import"], "Give either FILE or --from-url."),
        (["import", "file", "--from-url", "http://host"], "Give either FILE or --from-url."),
        (["import", "none"], "'none' does not exist"),
        (["import", "--from-url", "host:80"], "must be like 'http://host:port'"),
        (["import", "--from-url", "http://host", "--header", "secret"], 'expected "Name: value"'),
        (["import", "file", "--token", "secret"], "--token needs --from-url"),
        (["import", "file", "--header", "a: secret"], "--header needs --from-url"),
        (["export", "--output", "out", "--settings", "x"], "--settings needs URL"),
        (["export", "--output", "out", "--token", "secret"], "--token needs URL"),
        (["export", "--output", "out", "--header", "a: secret"], "--header needs URL"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid arguments are refused with status 2, and nothing happens."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = run(*arguments, "--database", "sqlite:///a.db")
    assert result.exit_code == 2
    assert message in result.output
    assert "secret" not in result.output
    assert os.listdir() == ["file"]  # noqa: PTH208


def test_an_export_makes_no_database(tmp_path: Path) -> None:
    """A path without a database is an error, and none is created."""
    result = run("export", "--database", f"sqlite:///{tmp_path}/a.db", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: there is no database {tmp_path}/a.db; give the one of the service")
    assert list(tmp_path.iterdir()) == []
