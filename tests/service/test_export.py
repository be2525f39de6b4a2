"""``heksherlite export``: a snapshot of a whole service, which gives clients the same settings."""

import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from heksherlite.engine.query_events import FeatureOrder, SettingBegins, SettingDefault
from heksherlite.engine.query_responses import read_query
from heksherlite.engine.snapshots import Snapshot, decode
from heksherlite.rules import RuleBatch
from tests.sdk.scripted_service import FEATURE_ORDER, QUERY, Scripted, ScriptedService, queried, rule
from tests.sdk.scripted_service import scripted_service as run_scripted_service
from tests.service.api import FEATURES, Api

SETTINGS = "/api/v1/settings"
LISTED = {
    "name": "x",
    "configurable_features": ["user"],
    "type": "int",
    "default_value": 0,
    "metadata": {},
    "aliases": [],
    "version": "1.0",
}


def export(url: str, output: Path | str, *options: str) -> Result:
    return CliRunner().invoke(heksherlite, ["export", url, "--output", str(output), *options])


def exported(url: str, path: Path, *options: str) -> Snapshot:
    result = export(url, path, *options)
    assert (result.exit_code, result.output) == (0, "")
    return decode(path.read_bytes())


def replayed(snapshot: Snapshot) -> dict[str, Any]:
    """Return the settings that a client reads from a snapshot, in the form of a query."""
    settings: dict[str, Any] = {}
    name = ""
    for response in snapshot.responses:
        for event in read_query(response.to_response()):
            match event:
                case FeatureOrder(names):
                    assert names == snapshot.context_features
                case SettingBegins(name):
                    settings[name] = {"default_value": None, "rules": []}
                case SettingDefault(value):
                    settings[name]["default_value"] = value
                case RuleBatch():
                    settings[name]["rules"] += [
                        {
                            "rule_id": r.rule_id,
                            "value": r.value,
                            "context_features": [list(c) for c in r.context_features],
                        }
                        for r in event.rules()
                    ]
        for setting in settings.values():
            setting["rules"].sort(key=lambda r: r["rule_id"])
    return settings


@pytest.fixture
def filled(api: Api) -> Api:
    """Return a client of a service with settings of several types, and rules."""
    api.declare("cache_ttl", alias=None)
    api.declare("colors", type="Sequence<str>", default_value=["é"], configurable_features=["theme"])
    api.declare("unruly", configurable_features=["user"])
    everywhere: dict[str, str] = {}
    api.add_rules(
        (number, {"user": f"u{number}", **more})
        for number in range(50)
        for more in (everywhere, {"environment": "dev"})
    )
    api.add_rule(["red", "\0"], "colors", theme="dark")
    return api


def test_a_snapshot_has_all_that_the_service_has(filled: Api, tmp_path: Path) -> None:
    """A snapshot contains the settings, defaults and rules of a query, and the context features."""
    before = datetime.now(UTC)
    snapshot = exported(filled.url, tmp_path / "file")
    assert replayed(snapshot) == filled.query()
    assert (snapshot.service, snapshot.context_filters) == ("", "*")
    assert snapshot.context_features == tuple(FEATURES)
    assert before <= snapshot.taken_at <= datetime.now(UTC)
    assert [response.media_type for response in snapshot.responses] == ["application/x-ndjson"]


def test_some_settings(filled: Api, tmp_path: Path) -> None:
    """Only the named settings are exported."""
    snapshot = exported(filled.url, tmp_path / "file", "--settings", "colors, unruly")
    assert replayed(snapshot) == filled.query(settings="colors,unruly")


def test_an_empty_service(api: Api, tmp_path: Path) -> None:
    """A service without settings can be exported."""
    assert replayed(exported(api.url, tmp_path / "file")) == {}


@pytest.mark.thorough
def test_very_many_settings(api: Api, tmp_path: Path) -> None:
    """Names that do not fit into one query are requested in several."""
    for number in range(160):
        api.declare(f"s{number}_" + "x" * 240, configurable_features=["user"], default_value=number)
    snapshot = exported(api.url, tmp_path / "file")
    assert len(snapshot.responses) == 2
    assert replayed(snapshot) == api.query()


@pytest.fixture
def scripted() -> Any:
    """Return a v1 service that knows no lines, with one setting."""
    with run_scripted_service() as service:
        service.script[SETTINGS] = Scripted({"settings": [LISTED]})
        service.script[QUERY] = Scripted(
            queried("x", 1, rule(7, 2, user="a")), headers={"Content-Type": "application/json", "ETag": '"1"'}
        )
        yield service


def test_any_v1_service(scripted: ScriptedService, tmp_path: Path) -> None:
    """Responses in the v1 form are kept unchanged."""
    snapshot = exported(scripted.url, tmp_path / "file")
    assert replayed(snapshot) == queried("x", 1, rule(7, 2, user="a"))["settings"]
    assert [(response.media_type, response.etag) for response in snapshot.responses] == [("application/json", '"1"')]
    (query,) = scripted.of(QUERY)
    assert query.params == {"settings": "x", "context_filters": "*", "include_metadata": "false"}
    assert query.headers["Accept"].startswith("application/x-ndjson")


def test_headers_and_credentials_are_sent(scripted: ScriptedService, tmp_path: Path) -> None:
    """Each request has the headers of the command line and the credentials of the URL."""
    url = scripted.url.replace("http://", "http://user:secret@")
    exported(url, tmp_path / "file", "--header", "X-Token: a: b", "--header", "X-Empty:")
    assert len(scripted.received) == 3
    for request in scripted.received:
        assert (request.headers["X-Token"], request.headers["X-Empty"]) == ("a: b", "")
        assert request.headers["Authorization"].startswith("Basic ")


def test_standard_output(filled: Api) -> None:
    """With ``-``, the snapshot is written to the standard output, without the service extra."""
    program = (
        "import sys\n"
        "for name in ('fastapi', 'sqlalchemy', 'uvicorn', 'platformdirs', 'pydantic'): sys.modules[name] = None\n"
        "from heksherlite.cli import main; main()"
    )
    command = [sys.executable, "-W", "error", "-c", program, "export", filled.url, "--output", "-"]
    result = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (0, b"")
    assert replayed(decode(result.stdout)) == filled.query()


def test_a_full_standard_output(filled: Api) -> None:
    """An output that cannot be written is reported in one line."""
    command = [sys.executable, "-W", "error", "-m", "heksherlite", "export", filled.url, "--output", "-"]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("Error: cannot write -: ")


def test_exported_files_are_private(filled: Api, tmp_path: Path) -> None:
    """An exported file has mode 0600, because values may be secret."""
    exported(filled.url, tmp_path / "file")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def failing(script: dict[str, Scripted], message: str) -> Any:
    return pytest.param(script, message, id=message)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        failing({SETTINGS: Scripted("no", status=500)}, "unexpected status 500"),
        failing({SETTINGS: Scripted("no", status=301)}, "unexpected status 301"),
        failing({SETTINGS: Scripted(b"<html>")}, "unusable response to GET /api/v1/settings: not JSON"),
        failing({QUERY: Scripted({"settings": 1})}, "expected an object at settings"),
        failing({QUERY: Scripted("no such setting: x", status=404)}, "status 404, '\"no such setting: x\"'"),
        failing({QUERY: Scripted(b"", status=226)}, "status 226"),
        failing({QUERY: Scripted(status=304)}, "status 304"),
        failing({FEATURE_ORDER: Scripted({"context_features": [1]})}, "expected a list of a string each"),
        failing(
            {
                QUERY: Scripted(
                    b'{"context_features":["user"]}\n{"settings":0}\n', headers={"Content-Type": "application/x-ndjson"}
                )
            },
            "the context features just changed, so try again",
        ),
    ],
)
def test_unusable_responses(
    script: dict[str, Scripted], message: str, scripted: ScriptedService, tmp_path: Path
) -> None:
    """A malformed response is reported in one line without credentials, and no file is written."""
    scripted.script.update(script)
    result = export(scripted.url.replace("http://", "http://user:secret@"), tmp_path / "file")
    assert result.exit_code == 1
    assert message in result.output
    assert scripted.url in result.output
    assert "secret" not in result.output
    assert result.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_service(tmp_path: Path) -> None:
    """A refused connection is reported with the URL, without credentials."""
    result = export("http://user:secret@127.0.0.1:9", tmp_path / "file")
    assert result.exit_code == 1
    assert result.output.startswith("Error: no response from http://127.0.0.1:9: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["host:8888", "--output", "file"], "must be like 'http://host:port'"),
        (["http://host:port", "--output", "file"], "is not a URL"),
        (["http://host"], "Missing option '--output'"),
        (["http://host", "--output", "."], "is a directory"),
        (["http://host", "--output", "file", "--settings", " ,"], "expected at least one name of a setting"),
        (["http://host", "--output", "file", "--header", "secret"], 'expected "Name: value"'),
        (["http://host", "--output", "file", "--header", ": secret"], 'expected "Name: value"'),
        (["http://host", "--output", "file", "--header", "X: secret\r\nY: b"], 'expected "Name: value"'),
        (["http://host", "--output", "file", "--header", "X: secreté"], 'expected "Name: value"'),
    ],
)
def test_wrong_arguments(
    arguments: Sequence[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invalid arguments are refused with status 2, and no secret is displayed."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(heksherlite, ["export", *arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert "secret" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/file", "file/below"])
def test_a_file_that_cannot_be_written(name: str, scripted: ScriptedService, tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "file").touch()
    result = export(scripted.url, tmp_path / name)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: cannot write {tmp_path / name}: ")
