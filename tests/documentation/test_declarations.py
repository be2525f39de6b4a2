"""The tables about the life of a declaration are correct."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.service import embedded
from tests.documentation.pages import DOCS
from tests.service.api import FEATURES, Api

PAGE = DOCS.joinpath("explanation", "declarations.md").read_text("utf-8")
BASE = {"type": "float", "default_value": 60, "configurable_features": ["environment", "user"], "metadata": {"a": 1}}


def table(header: str) -> dict[str, str]:
    """Return the second cells of a table by the first ones."""
    (rows,) = re.findall(rf"^\| {header} \|\n\| --- \| --- \|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return dict(re.findall(r"^\| (.+) \| (.+) \|$", rows, re.MULTILINE))


@pytest.fixture
def api() -> Iterator[Api]:
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        yield api
        api.close()


CHANGES: Mapping[str, list[tuple[dict[str, Any], Any, dict[str, Any]]]] = {
    # What is declared instead of the above before, the value of a rule for a user, what is declared afterwards.
    "no change": [({}, 1.5, {})],
    "the order of the configurable features": [({}, 1.5, {"configurable_features": ["user", "environment"]})],
    "the default value": [({}, 1.5, {"default_value": 30})],
    "the metadata": [({}, 1.5, {"metadata": {}})],
    "the name, with the previous name as `alias`": [({}, 1.5, {"name": "renamed", "alias": "cache_ttl"})],
    "a configurable feature less, on which no rule has a condition": [({}, 1.5, {"configurable_features": ["user"]})],
    "a configurable feature less, on which a rule has a condition": [
        ({}, 1.5, {"configurable_features": ["environment"]})
    ],
    "a configurable feature more": [({}, 1.5, {"configurable_features": FEATURES})],
    "a narrower type, such as `int` instead of `float` or an enum with fewer members, that fits every rule": [
        ({}, 1, {"type": "int"}),
        ({"type": "Enum[1,2,60]"}, 2, {"type": "Enum[2,60]"}),
    ],
    "a wider or another type that fits every rule": [
        ({"type": "int"}, 1, {"type": "float"}),
        ({"type": "Enum[1,60]"}, 1, {"type": "int"}),
    ],
    "a type that some rule's value does not fit": [({}, 1.5, {"type": "int"}), ({}, 1.5, {"type": "Enum[60]"})],
}


@pytest.mark.parametrize("change", table(r"change \| version"))
def test_needed_versions(change: str, api: Api) -> None:
    """The service accepts each change with the version in the table, and with no lower one."""
    for number, (before, value, after) in enumerate(CHANGES[change]):
        name = f"cache_ttl_{number}" if number else "cache_ttl"
        assert api.declare(name, **{**BASE, **before}).status_code == 200
        api.add_rule(value, name, user="john")
        changed = {"name": name, **BASE, **before, **after}
        needed = next(
            (
                word
                for word, version in (("the same", "1.0"), ("minor", "1.1"), ("major", "2.0"))
                if api.declare(**{**changed, "version": version}).status_code == 200
            ),
            "refused",
        )
        assert needed == table(r"change \| version")[change]


def test_every_change_is_known() -> None:
    """Each row of the table is tested."""
    assert table(r"change \| version").keys() == CHANGES.keys()


def declared(
    default: int = 60, version: str = "1.0", name: str = "cache_ttl", alias: str | None = None
) -> Setting[int]:
    return Setting(name, int, ["environment", "user"], default, alias=alias, version=version)


def body(default: int = 60, version: str = "1.0") -> dict[str, Any]:
    """Return the body that a program with `declared` sends."""
    return {"default_value": default, "version": version}


@contextmanager
def program(api: Api) -> Iterator[ThreadHeksherClient]:
    """Run a client that declares the existing settings."""
    client = ThreadHeksherClient(api.url, 600, FEATURES, push=False)
    client.track_contexts(environment=TRACK_ALL, user=TRACK_ALL)
    with client:
        yield client


def values(setting: Setting[int]) -> tuple[int, int]:
    """Return the value where a rule matches, and the default."""
    return setting.get(environment="dev", user="john"), setting.get(environment="dev", user="jane")


def rule(api: Api, setting: str = "cache_ttl") -> int:
    return api.add_rule(5, setting, user="john")


def new_while_old(api: Api, _log: pytest.LogCaptureFixture) -> None:
    old = declared()
    with program(api) as client:
        rule(api)
        assert api.declare(**body(30, "1.1")).json()["outcome"] == "upgraded"
        client.reload()
        assert values(old) == (5, 30)


def old_after_new(api: Api, log: pytest.LogCaptureFixture) -> None:
    for version, level, message in (
        ("1.1", logging.INFO, "setting is outdated"),
        ("2.0", logging.WARNING, "setting is outdated by a major version"),
    ):
        if api.get("settings/cache_ttl").status_code == 404:
            api.declare(**body())
            rule(api)
        api.declare(**body(30, version))
        old = declared()
        log.clear()
        with program(api):
            assert values(old) == (5, 30)
        assert any(record.levelno == level and record.getMessage().startswith(message) for record in log.records), (
            log.messages
        )
        assert api.setting()["version"] == version
        del old


def rollback(api: Api, log: pytest.LogCaptureFixture) -> None:
    old_after_new(api, log)
    assert api.declare(**body(60, "2.1")).json()["outcome"] == "upgraded"
    old = declared()
    with program(api):
        assert values(old) == (5, 60)


def unraised(api: Api, log: pytest.LogCaptureFixture) -> None:
    api.declare(**body())
    changed = declared(30)
    assert api.declare(**body(30)).status_code == 409
    with program(api):
        assert values(changed)[1] == 60
    assert any(message.startswith("conflict when declaring setting") for message in log.messages)


def renamed_with_alias(api: Api, _log: pytest.LogCaptureFixture) -> None:
    old = declared()
    with program(api) as client:
        rule(api)
        new = declared(version="1.1", name="ttl", alias="cache_ttl")
        client.reload()
        assert values(old) == values(new) == (5, 60)
    assert api.setting("cache_ttl")["name"] == "ttl"


def renamed_without_alias(api: Api, _log: pytest.LogCaptureFixture) -> None:
    api.declare(**body())
    rule(api)
    new = declared(name="ttl")
    with program(api):
        assert values(new) == (60, 60)
    assert len(api.rule_ids("cache_ttl")) == 1


def renamed_by_operator(api: Api, _log: pytest.LogCaptureFixture) -> None:
    old = declared()
    with program(api) as client:
        api.call("PUT", "settings/cache_ttl/name", {"name": "ttl", "version": "1.1"}).raise_for_status()
        rule(api, "ttl")
        client.reload()
        assert values(old) == (5, 60)


def not_1_0(api: Api, _log: pytest.LogCaptureFixture) -> None:
    new = declared(version="1.1")
    assert api.declare(**body(version="1.1")).status_code == 400
    with program(api) as client:
        assert values(new) == (60, 60)
        assert client.status.undeclared


def removed_from_code(api: Api, _log: pytest.LogCaptureFixture) -> None:
    api.declare(**body())
    number = rule(api)
    with program(api):
        pass
    assert api.rule_ids("cache_ttl") == [number]


def deleted_at_1_0(api: Api, _log: pytest.LogCaptureFixture) -> None:
    setting = declared()
    with program(api) as client:
        rule(api)
        api.call("DELETE", "settings/cache_ttl").raise_for_status()
        client.reload()
        assert values(setting) == (60, 60)
    assert api.rule_ids("cache_ttl") == []


def deleted_later(api: Api, _log: pytest.LogCaptureFixture) -> None:
    api.declare(**body())
    setting = declared(30, "1.1")
    with program(api) as client:
        rule(api)
        api.call("DELETE", "settings/cache_ttl").raise_for_status()
        client.reload()
        assert setting.get(environment="dev", user="jane") == 30
        assert client.status.undeclared
    assert api.get("settings/cache_ttl").status_code == 404


SITUATIONS: Mapping[str, Callable[[Api, pytest.LogCaptureFixture], None]] = {
    "a new version starts while an old one runs": new_while_old,
    "an old version starts after a new one": old_after_new,
    "a rollback to an old version": rollback,
    "a changed default value without a higher version": unraised,
    "a setting renamed in code, with `alias`": renamed_with_alias,
    "a setting renamed in code, without `alias`": renamed_without_alias,
    "a setting renamed by an operator": renamed_by_operator,
    "a new setting with another version than `1.0`": not_1_0,
    "a setting removed from code": removed_from_code,
    "a setting deleted by an operator while a program declares it with version `1.0`": deleted_at_1_0,
    "a setting deleted by an operator while a program declares it with a higher version": deleted_later,
}


@pytest.mark.parametrize("situation", table(r"situation \| result"))
def test_situations(situation: str, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Programs of different versions get the results in the table."""
    caplog.set_level(logging.INFO, "heksherlite")
    SITUATIONS[situation](api, caplog)


def test_every_situation_is_known() -> None:
    """Each row of the table is tested."""
    assert table(r"situation \| result").keys() == SITUATIONS.keys()
