from collections.abc import Callable
from enum import IntFlag
from typing import Any

import httpx
import pytest

from heksherlite import AsyncHeksherClient, Setting, SyncStubHeksherClient, ThreadHeksherClient
from tests.sdk.conftest import ALL, Connect, Log, async_client
from tests.sdk.scripted_service import DECLARE, FEATURE_ORDER, QUERY, Scripted, ScriptedService, rule
from tests.service.api import FEATURES, Api
from tests.waiting import until_async


class Access(IntFlag):
    READ = 1
    WRITE = 2


def test_different_context_features(service: Api, connect: Connect, log: Log) -> None:
    """That the service's features differ from the client's is one WARNING with both."""
    client = connect(service.url, features=["user", "environment"], tracked={"user": "a"})
    client.reload()
    record = log.one("context feature mismatch")
    assert record["levelname"] == "WARNING"
    assert list(record["client_context_features"]) == ["user", "environment"]
    assert list(record["service_context_features"]) == FEATURES


def test_equal_context_features(service: Api, connect: Connect, log: Log) -> None:
    """If everything is as it should be, nothing is logged from WARNING up."""
    setting = Setting("x", int, FEATURES, 1)
    client = connect(service.url, environment="dev")
    service.add_rule(2, "x", user="a")
    client.reload()
    assert setting.get(user="a", theme="b") == 2
    assert [record for record in log.caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize("response", [Scripted(status=500), Scripted(b"<html>"), Scripted({"context_features": [1]})])
def test_unreadable_context_features(scripted: ScriptedService, connect: Connect, log: Log, response: Scripted) -> None:
    """That the features cannot be read is an ERROR, and the client's own order holds."""
    scripted.script[FEATURE_ORDER] = response
    setting = Setting("x", int, ["environment", "user"], 0)
    scripted.serve("x", 0, rule(1, 1, environment="a"), rule(2, 2, user="a"))
    connect(scripted.url)
    assert {record.levelname for record in log.of("failure to get context_features from heksher service")} == {"ERROR"}
    assert setting.get(environment="a", user="a") == 2


def test_tracking_an_unknown_feature(log: Log) -> None:
    """Tracking a feature that the client does not name is a WARNING with its name."""
    ThreadHeksherClient("http://127.0.0.1:9", 1, FEATURES).track_contexts(user="a", planet="mars")
    record = log.one("context features are not specified in server")
    assert (record["levelname"], record["context_features"]) == ("WARNING", ["planet"])


def test_defaulting_an_unknown_feature(log: Log) -> None:
    """A default for a feature that the client does not name is a WARNING with its name."""
    ThreadHeksherClient("http://127.0.0.1:9", 1, FEATURES).set_defaults(user="a", planet="mars")
    record = log.one("context features are not specified in the client")
    assert (record["levelname"], record["context_features"]) == ("WARNING", ["planet"])


def test_tracking_a_feature_that_the_service_lacks(service: Api, connect: Connect, log: Log) -> None:
    """Tracking a feature that the client names and the service does not know is a WARNING."""
    connect(service.url, features=[*FEATURES, "planet"], tracked={"planet": "mars"})
    record = log.one("context features are not specified in server")
    assert (record["levelname"], record["context_features"]) == ("WARNING", ["planet"])


def test_a_declaration_conflict(service: Api, connect: Connect, log: Log) -> None:
    """A 409 is an ERROR that names the setting."""
    service.declare("x", configurable_features=["user"], type="str", default_value="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    record = log.one("conflict when declaring setting")
    assert (record["levelname"], record["setting"]) == ("ERROR", setting.name)


def test_a_failed_declaration_of_the_thread_client(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """The thread client logs an ERROR with the exception."""
    scripted.script[DECLARE] = Scripted(status=500)
    setting = Setting("x", int, ["user"], 1)
    connect(scripted.url)
    record = log.one("declaration failed")
    assert record["levelname"] == "ERROR"
    assert isinstance(record["exc_info"][1], httpx.HTTPError)
    assert setting.name in str(record["exc_info"][1].__notes__)


@pytest.mark.anyio
async def test_a_failed_declaration_of_the_async_client(scripted: ScriptedService, log: Log) -> None:
    """The async client logs an ERROR for a setting that it declares in the background."""
    async with async_client(scripted.url):
        scripted.script[DECLARE] = Scripted(status=500)
        setting = Setting("x", int, ["user"], 1)
        await until_async(lambda: log.of("setting declaration failed"))
        assert log.of("setting declaration failed")[0].levelname == "ERROR"
        assert setting.get(user="a") == 1


@pytest.mark.parametrize(
    ("version", "level", "message"),
    [("2.0", "WARNING", "setting is outdated by a major version"), ("1.1", "INFO", "setting is outdated")],
)
def test_an_outdated_declaration(
    service: Api, connect: Connect, log: Log, version: str, level: str, message: str
) -> None:
    """A later major version in the service is a WARNING, a later minor one is an INFO."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.declare("x", configurable_features=["user"], default_value=2, version=version)
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    record = log.one(message)
    assert (record["levelname"], record["setting"], record["latest_version"]) == (level, setting.name, version)


def test_a_failed_update(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """An update that fails is an ERROR."""
    client = connect(scripted.url)
    scripted.script[QUERY] = Scripted(status=503)
    assert log.of("error during heksher update") == []
    client.reload()
    assert log.one("error during heksher update")["levelname"] == "ERROR"


def test_rejected_rules(service: Api, connect: Connect, log: Log) -> None:
    """Rules with a value that cannot be used are a WARNING with their ids."""
    service.declare("x", configurable_features=["user"], type="float", default_value=1)
    rule_id = service.add_rule(1.5, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    record = log.one("setting update rejected rules")
    assert (record["levelname"], record["setting"], list(record["rejected_rules"])) == (
        "WARNING",
        setting.name,
        [rule_id],
    )


def test_coerced_values(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """Values that needed coercion are an INFO with the ids of their rules and the coercions."""
    setting = Setting("x", Access, ["user"], Access.READ)
    scripted.serve("x", [], rule(7, ["READ", "EXECUTE"], user="a"))
    connect(scripted.url)
    record = log.one("setting update coerced values")
    assert (record["levelname"], record["setting"], list(record["coercions"])) == ("INFO", setting.name, [7])
    assert "EXECUTE" in str(record["coercions"])


@pytest.mark.parametrize(
    ("default", "message"),
    [
        (["EXECUTE"], "setting default value coerced to local value"),
        ("READ", "setting default value discarded default due to conversion error"),
    ],
)
def test_coerced_and_discarded_defaults(
    scripted: ScriptedService, connect: Connect, log: Log, default: Any, message: str
) -> None:
    """A default of the service that needed coercion, or could not be used, is a WARNING with its value."""
    setting = Setting("x", Access, ["user"], Access.READ)
    scripted.serve("x", default)
    connect(scripted.url)
    record = log.one(message)
    assert (record["levelname"], record["setting"], record["server_default_value"]) == (
        "WARNING",
        setting.name,
        default,
    )


@pytest.mark.parametrize(
    ("default", "message"),
    [
        (["EXECUTE"], "server default was coerced to local value during declaration"),
        ("READ", "server default was discarded due to coercion error during declaration"),
    ],
)
def test_coerced_and_discarded_defaults_at_declaration(
    scripted: ScriptedService, connect: Connect, log: Log, default: Any, message: str
) -> None:
    """The same in the response to an outdated declaration has a message of its own."""
    setting = Setting("x", Access, ["user"], Access.READ)
    difference = {"level": "minor", "attribute": "default_value", "latest_value": default}
    scripted.script[DECLARE] = Scripted({"outcome": "outdated", "latest_version": "1.1", "differences": [difference]})
    connect(scripted.url)
    record = log.one(message)
    assert (record["levelname"], record["setting"], record["server_default_value"]) == (
        "WARNING",
        setting.name,
        default,
    )


def other_thread_client(url: str, **tracked: Any) -> ThreadHeksherClient:
    client = ThreadHeksherClient(url, 1000, FEATURES, push=False)
    client.track_contexts(**(tracked or ALL))
    return client


def test_two_live_clients(service: Api, connect: Connect, log: Log) -> None:
    """A setting that gets rules from another client while the first one lives is a WARNING."""
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    with other_thread_client(service.url):
        record = log.one("setting received rule set from multiple clients")
        assert (record["levelname"], record["setting"]) == ("WARNING", setting.name)


def test_no_two_live_clients(service: Api, log: Log) -> None:
    """A client that takes over from a closed one is no reason for a warning."""
    setting = Setting("x", int, ["user"], 1)
    for _ in range(2):
        with other_thread_client(service.url):
            assert setting.get(user="a") == 1
    assert [record for record in log.caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.parametrize("successor", [other_thread_client, SyncStubHeksherClient])
def test_switching_main_clients(
    service: Api, connect: Connect, log: Log, successor: Callable[[str], ThreadHeksherClient | SyncStubHeksherClient]
) -> None:
    """A second client that becomes main is a WARNING."""
    connect(service.url)
    message = "switching main heksher clients! this is NOT recommended! (unless this is a test)"
    assert log.of(message) == []
    with successor(service.url):
        assert log.one(message)["levelname"] == "WARNING"
        assert log.of("new main heksher client tracks different context options") == []


def test_switching_to_other_tracking(service: Api, connect: Connect, log: Log) -> None:
    """A second client that tracks other contexts is another WARNING."""
    connect(service.url)
    with other_thread_client(service.url, user="a"):
        assert log.one("new main heksher client tracks different context options")["levelname"] == "WARNING"


@pytest.mark.parametrize("client", [AsyncHeksherClient, ThreadHeksherClient])
def test_nothing_is_logged_by_a_client_that_is_not_started(client: Any, log: Log) -> None:
    """Making a client logs nothing."""
    client("http://127.0.0.1:9", 1, FEATURES)
    assert log.caplog.records == []
