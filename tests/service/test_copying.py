"""``heksherlite import --from-url`` from any service with the v1 API."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from heksherlite.service import embedded
from tests.sdk.scripted_service import FEATURE_ORDER, QUERY, Received, Scripted, ScriptedService, rule
from tests.sdk.scripted_service import scripted_service as run_scripted_service
from tests.service.api import FEATURES, Api
from tests.service.test_importing import exported, fill, run

SETTINGS = "/api/v1/settings"
EXPORT = "/api/v1/export"


def copied(url: str, database: str, *options: str) -> Result:
    return run("import", "--from-url", url, "--database", database, *options)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[tuple[ScriptedService, Api]]:
    """Return a service that only implements v1, and the real service behind it, with settings of all kinds."""
    with embedded(tmp_path / "source.db", context_features=FEATURES) as service, run_scripted_service() as front:
        api = Api(service.url)
        with api.http:
            fill(api)

            def forward(request: Received) -> Scripted:
                headers = {"If-None-Match": request.headers.get("If-None-Match", "")}
                response = api.http.get(request.path, params=dict(request.params), headers=headers)
                kept = {name: response.headers[name] for name in ("Content-Type", "ETag") if name in response.headers}
                return Scripted(response.content, response.status_code, kept)

            front.script.update(dict.fromkeys((SETTINGS, QUERY, FEATURE_ORDER), forward))
            yield front, api


def test_everything_that_v1_has_is_copied(source: tuple[ScriptedService, Api], tmp_path: Path) -> None:
    """The copy has the settings, aliases, versions, metadata, context features and rules of the source."""
    front, api = source
    database = f"sqlite:///{tmp_path}/target.db"
    result = copied(front.url, database)
    assert result.output.startswith("Imported 5 settings with 41 rules into ")  # one does not apply yet
    with embedded(database) as service:
        target = Api(service.url)
        with target.http:
            assert target.state() == api.state()
            assert target.history()[0]["reason"] == f"import from {front.url}"
    assert {request.path for request in front.received} == {EXPORT, SETTINGS, QUERY, FEATURE_ORDER}
    assert {request.method for request in front.received} == {"GET"}


def test_many_settings(tmp_path: Path) -> None:
    """Settings that do not fit into one query are requested in several."""
    with embedded(tmp_path / "source.db", context_features=FEATURES) as service, run_scripted_service() as front:
        api = Api(service.url)
        with api.http:
            for number in range(45):
                api.declare(f"s{number}")
                api.add_rule(number, f"s{number}", user="john")
            for path in (SETTINGS, QUERY, FEATURE_ORDER):
                front.script[path] = lambda r: Scripted(api.http.get(r.path, params=dict(r.params)).content)
            result = copied(front.url, f"sqlite:///{tmp_path}/target.db")
            assert result.output.startswith("Imported 45 settings with 45 rules into "), result.output
            assert len(front.of(QUERY)) == 6  # each is asked again, and there are no tags here


def listed(**fields: Any) -> Scripted:
    setting = {"name": "x", "type": "int", "default_value": 0, "configurable_features": ["user"]}
    return Scripted({"settings": [{**setting, "version": "1.0", "metadata": {}, "aliases": [], **fields}]})


def responded(*rules: Any) -> Scripted:
    return Scripted({"settings": {"x": {"default_value": 0, "rules": [{**rule, "metadata": {}} for rule in rules]}}})


@pytest.fixture
def scripted() -> Iterator[ScriptedService]:
    """Return a v1 service with one setting and one rule."""
    with run_scripted_service() as service:
        service.script[SETTINGS] = listed()
        service.script[QUERY] = responded(rule(7, 1, user="a"))
        yield service


def in_turn(responses: list[Scripted]) -> Callable[[Received], Scripted]:
    return lambda _: responses.pop(0) if len(responses) > 1 else responses[0]


def test_a_change_meanwhile_is_noticed(scripted: ScriptedService, tmp_path: Path) -> None:
    """If the source changes during the copy, it is copied again."""
    scripted.script[QUERY] = in_turn([responded(rule(7, 1, user="a")), responded(rule(7, 2, user="a"))])
    result = copied(scripted.url, f"sqlite:///{tmp_path}/a.db")
    assert result.exit_code == 0, result.output
    assert b'"value":2' in exported(f"sqlite:///{tmp_path}/a.db", tmp_path / "out")
    assert len(scripted.of(QUERY)) == 4


@pytest.mark.parametrize("path", [QUERY, SETTINGS, FEATURE_ORDER])
def test_changes_without_end_are_refused(path: str, scripted: ScriptedService, tmp_path: Path) -> None:
    """If the source keeps changing, the command reports that and imports nothing."""
    numbers = iter(range(100))
    response = {
        QUERY: lambda _: responded(rule(7, next(numbers), user="a")),
        SETTINGS: lambda _: listed(metadata={"a": next(numbers)}),
        FEATURE_ORDER: lambda _: Scripted({"context_features": ["user", f"f{next(numbers)}"]}),
    }
    scripted.script[path] = response[path]
    result = copied(scripted.url, f"sqlite:///{tmp_path}/a.db")
    assert result.exit_code == 1
    assert "changed during each of 3 attempts to copy it" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "response", "message"),
    [
        (EXPORT, Scripted(b"no", status=500), "GET /api/v1/export: status 500: no"),
        (FEATURE_ORDER, Scripted({"context_features": [1]}), "expected a list of a string each at context_features"),
        (SETTINGS, Scripted(b"<html>"), "not JSON"),
        (SETTINGS, listed(aliases=None), "expected a list at settings[0].aliases"),
        (SETTINGS, listed(type="ant"), "setting 'x': type: invalid type 'ant'"),
        (QUERY, Scripted({"settings": {}}), "expected a value at settings.x"),
        (QUERY, Scripted("gone", status=404), "unexpected status 404"),
        (
            QUERY,
            responded(rule(7, "a", user="a")),
            "rule 7 of setting 'x': the value does not fit setting 'x' of type int",
        ),
        (QUERY, responded({"value": 1, "context_features": []}), "expected a value at settings.x.rules[0].rule_id"),
        (QUERY, responded({"rule_id": 1, "value": 1, "context_features": [["user"]]}), "expected pairs of a context"),
    ],
)
def test_malformed_responses_of_the_source(
    path: str, response: Scripted, message: str, scripted: ScriptedService, tmp_path: Path
) -> None:
    """The error is one line with the URL and the problem, without credentials, and the database is unchanged."""
    database = f"sqlite:///{tmp_path}/a.db"
    assert copied(scripted.url, database).exit_code == 0
    before = exported(database, tmp_path / "before")
    scripted.script[path] = response
    result = copied(scripted.url.replace("http://", "http://user:secret@"), database, "--replace")
    assert result.exit_code == 1
    assert message in result.output
    assert scripted.url in result.output
    assert "secret" not in result.output
    assert "line 2" not in result.output
    assert result.output.count("\n") == 1
    assert exported(database, tmp_path / "after") == before


def test_an_unreachable_source(tmp_path: Path) -> None:
    """A refused connection is reported with the URL, and no database is created."""
    result = copied("http://127.0.0.1:9", f"sqlite:///{tmp_path}/a.db")
    assert result.exit_code == 1
    assert result.output.startswith("Error: cannot copy http://127.0.0.1:9: GET /api/v1/export: cannot connect to ")
    assert list(tmp_path.iterdir()) == []
