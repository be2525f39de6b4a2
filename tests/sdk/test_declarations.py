import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from heksherlite import Setting
from heksherlite.service import embedded
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import DECLARE, QUERY, Scripted, ScriptedService, queried
from tests.service.api import FEATURES, Api
from tests.waiting import until


def test_waiting_settings_are_declared(service: Api, connect: Connect) -> None:
    """Settings that were created before the client are declared when it becomes the main client."""
    setting = Setting("x", float, ["user", "environment"], 1.5, metadata={"owner": "us"})
    connect(service.url)
    assert service.setting("x") == {
        "name": setting.name,
        "configurable_features": ["environment", "user"],
        "type": "float",
        "default_value": 1.5,
        "metadata": {"owner": "us"},
        "aliases": [],
        "version": "1.0",
    }


def test_later_settings_are_declared_at_once(service: Api, connect: Connect) -> None:
    """A setting that is created while a client is main is declared and loaded in the background."""
    connect(service.url)
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    until(lambda: setting.get(user="a") == 2)


def test_reload_waits_for_declarations(service: Api, connect: Connect) -> None:
    """``reload`` first declares what is pending, then loads."""
    client = connect(service.url)
    for number in range(20):
        setting = Setting(f"x{number}", int, ["user"], number)
        client.reload()
        assert setting.explain(user="a").loaded


def test_the_declaration_is_json(scripted: ScriptedService, connect: Connect) -> None:
    """The body that is posted is to_v1_declaration_body, as JSON with a Content-Type."""
    setting = Setting("x", str, ["user"], "ü", metadata={"a": None}, alias="y")
    connect(scripted.url)
    (request,) = scripted.of(DECLARE)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == setting.to_v1_declaration_body()


def test_an_upgrade_is_applied(service: Api, connect: Connect, log: Log) -> None:
    """A higher version changes the setting in the service, which is nothing to log."""
    service.declare("x", configurable_features=["user"], default_value=1)
    setting = Setting("x", int, ["user"], 0, version="1.1")
    connect(service.url)
    assert service.setting("x")["default_value"] == 0
    assert setting.get(user="a") == 0
    assert log.caplog.records == []


def test_an_outdated_declaration_takes_the_latest_default(service: Api, connect: Connect) -> None:
    """The service's default of a later version becomes the default here, and its rules hold."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.declare("x", configurable_features=["user"], default_value=0, version="1.1")
    service.add_rule(3, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    assert (setting.get(user="a"), setting.get(user="b")) == (3, 0)


def test_the_declarations_default_holds_without_rules(scripted: ScriptedService, connect: Connect) -> None:
    """The latest default counts from the declaration on, even if the rules cannot be loaded."""
    difference = {"level": "minor", "attribute": "default_value", "latest_value": 0}
    scripted.script[DECLARE] = Scripted({"outcome": "outdated", "latest_version": "1.1", "differences": [difference]})
    scripted.script[QUERY] = Scripted(status=500)
    setting = Setting("x", int, ["user"], 1)
    connect(scripted.url)
    explanation = setting.explain(user="a")
    assert (setting.get(user="a"), explanation.default_source) == (0, "service")


def test_a_default_at_declaration_is_validated(scripted: ScriptedService, connect: Connect) -> None:
    """The latest default goes through the validators like any other."""
    difference = {"level": "minor", "attribute": "default_value", "latest_value": 5}
    scripted.script[DECLARE] = Scripted({"outcome": "outdated", "latest_version": "1.1", "differences": [difference]})
    scripted.script[QUERY] = Scripted(status=500)
    setting = Setting("x", int, ["user"], 1)
    setting.add_validator(lambda value, _rule, _setting: value * 10)
    connect(scripted.url)
    assert setting.get(user="a") == 50


def test_a_mismatch_is_tracked_all_the_same(service: Api, connect: Connect, log: Log) -> None:
    """A setting whose declaration is refused as a mismatch still gets the service's rules and default."""
    service.declare("x", configurable_features=["user"], type="float", default_value=7)
    service.add_rule(3, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    assert (setting.get(user="a"), setting.get(user="b")) == (3, 7)
    assert log.one("conflict when declaring setting")["response"]["outcome"] == "mismatch"


def test_a_rejected_upgrade_is_tracked_all_the_same(service: Api, connect: Connect, log: Log) -> None:
    """A setting whose new version is refused still gets the rules of the old one."""
    service.declare("x", configurable_features=["environment", "user"], default_value=1)
    service.add_rule(3, "x", user="a")
    service.add_rule(4, "x", environment="b")
    setting = Setting("x", int, ["user"], 1, version="1.1")
    connect(service.url)
    assert (setting.get(user="a"), setting.get(user="b")) == (3, 1)
    assert log.one("conflict when declaring setting")["response"]["outcome"] == "rejected"


def test_a_conflict_of_names_is_tracked_all_the_same(service: Api, connect: Connect, log: Log) -> None:
    """A setting whose alias belongs to another one gets a 409 without outcome, and is served by its own name."""
    for name in "xy":
        service.declare(name, configurable_features=["user"], default_value=1)
    service.add_rule(3, "x", user="a")
    setting = Setting("x", int, ["user"], 1, alias="y")
    connect(service.url)
    assert setting.get(user="a") == 3
    assert log.one("conflict when declaring setting")["setting"] == "x"


def test_a_rename_by_declaration(service: Api, connect: Connect) -> None:
    """A new name with the old one as alias renames the setting; a program with the old name is still served."""
    old = Setting("old", int, ["user"], 1)
    client = connect(service.url)
    service.add_rule(5, "old", user="a")
    new = Setting("new", int, ["user"], 1, alias="old", version="1.1")
    client.reload()
    assert service.setting("old")["name"] == "new"
    assert (old.get(user="a"), new.get(user="a")) == (5, 5)
    service.add_rule(6, "new", user="b")
    client.reload()
    assert (old.get(user="b"), new.get(user="b")) == (6, 6)


def test_a_program_of_before_the_rename(service: Api, connect: Connect) -> None:
    """A setting that is declared under an alias is served under its canonical name."""
    service.declare("new", configurable_features=["user"], default_value=1)
    service.declare("newer", configurable_features=["user"], default_value=1, alias="new", version="1.1")
    service.add_rule(5, "newer", user="a")
    setting = Setting("new", int, ["user"], 1)
    connect(service.url)
    assert setting.get(user="a") == 5


def test_a_rename_while_running(service: Api, connect: Connect) -> None:
    """A setting that is renamed in the service while the program runs still updates, again and again."""
    setting = Setting("x", int, ["user"], 1)
    client = connect(service.url)
    for number in range(3):
        response = service.call("PUT", "settings/x/name", {"name": f"y{number}", "version": f"1.{number + 1}"})
        assert response.status_code == 204
        service.add_rule(number, "x", user=str(number))
        client.reload()
        assert setting.get(user=str(number)) == number


def test_a_deleted_setting_is_declared_again(service: Api, connect: Connect) -> None:
    """A setting that is deleted in the service while the program runs is declared again. Others are not affected."""
    deleted, other = (Setting(name, int, ["user"], 1) for name in ("deleted", "other"))
    client = connect(service.url)
    service.add_rule(2, "deleted", user="a")
    client.reload()
    assert deleted.get(user="a") == 2
    service.call("DELETE", "settings/deleted")
    service.add_rule(3, "other", user="a")
    client.reload()
    assert (deleted.get(user="a"), other.get(user="a")) == (1, 3)
    service.add_rule(4, "deleted", user="a")
    client.reload()
    assert deleted.get(user="a") == 4


@contextmanager
def operator(url: str) -> Iterator[Api]:
    """Yield an operator of a service of the test's own."""
    api = Api(url)
    with api.http:
        yield api


def port_of(url: str) -> int:
    """Return the port of a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port


def test_the_whole_database_is_replaced(tmp_path: Path, connect: Connect) -> None:
    """If the service restarts with an empty database, everything is declared again and rules are followed."""
    settings = [Setting(name, int, ["user"], 1) for name in "xyz"]
    with embedded(tmp_path / "one.db", context_features=FEATURES) as service:
        client = connect(service.url)
        with operator(service.url) as api:
            api.add_rule(2, "x", user="a")
        client.reload()
        assert settings[0].get(user="a") == 2
    client.reload()
    assert settings[0].get(user="a") == 2
    with embedded(tmp_path / "two.db", context_features=FEATURES, port=port_of(service.url)) as service:
        client.reload()
        assert [setting.get(user="a") for setting in settings] == [1, 1, 1]
        with operator(service.url) as api:
            api.add_rule(3, "y", user="a")
        client.reload()
        assert [setting.get(user="a") for setting in settings] == [1, 3, 1]


def test_a_database_with_the_same_history_is_another_one(tmp_path: Path, connect: Connect) -> None:
    """If the service comes back with another database of as many changes, its rules are loaded."""
    setting = Setting("x", int, ["user"], 1)
    for number in (2, 3):
        with embedded(tmp_path / f"{number}.db", context_features=FEATURES) as service, operator(service.url) as api:
            api.declare("x", configurable_features=["user"], default_value=1)
            api.add_rule(number, "x", user="a")
    with embedded(tmp_path / "2.db", context_features=FEATURES) as service:
        client = connect(service.url)
        assert setting.get(user="a") == 2
    with embedded(tmp_path / "3.db", context_features=FEATURES, port=port_of(service.url)):
        client.reload()
        assert setting.get(user="a") == 3


def test_only_failed_declarations_are_repeated(scripted: ScriptedService, connect: Connect) -> None:
    """One setting that the service refuses does not keep the others from being declared and loaded."""
    bad, good = Setting("bad", int, ["user"], 1), Setting("good", int, ["user"], 1)
    scripted.script[DECLARE] = lambda request: (
        Scripted(status=422) if json.loads(request.body)["name"] == "bad" else Scripted({"outcome": "created"})
    )
    scripted.script[QUERY] = Scripted(queried("good", 5))
    client = connect(scripted.url)
    assert (bad.get(user="a"), good.get(user="a")) == (1, 5)
    client.reload()
    assert [json.loads(request.body)["name"] for request in scripted.of(DECLARE)].count("good") == 1
    assert {request.params["settings"] for request in scripted.of(QUERY)} == {"good"}
    assert client._engine.registry.pending == [bad]


@pytest.mark.parametrize("count", [1, 60])
def test_two_settings_of_one_name_are_both_served(service: Api, connect: Connect, count: int) -> None:
    """Two settings with the same name both get its rules."""
    settings = [Setting("x", int, ["user"], 1) for _ in range(count)]
    client = connect(service.url)
    service.add_rule(2, "x", user="a")
    client.reload()
    assert {setting.get(user="a") for setting in settings} == {2}
