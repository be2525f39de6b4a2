"""Settings clients that are configured from facts, against a real service."""

from pathlib import Path
from typing import Any

import pytest

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
from heksherlite.clients.facts import read_client_facts
from heksherlite.errors import FactsShapeError, GroupNotFound, NoFaktsFound, SnapshotError
from heksherlite.grants import EnvGrant, Fakts, HardGrant, LoadRequest
from heksherlite.grants.values import LIST_NOTATION
from tests.sdk.conftest import Log, log, service, shared_service
from tests.sdk.scripted_service import QUERY, scripted_service
from tests.service.api import FEATURES, Api
from tests.waiting import until, until_async

__all__ = ["log", "service", "shared_service"]


def facts(service_url: str, **more: Any) -> dict[str, Any]:
    """Return what a client needs."""
    group = {"service_url": service_url, "update_interval": 1000, "context_features": FEATURES}
    return {"heksher": {**group, "defaults": {"environment": "dev"}, "track": {"user": "*"}, **more}}


@pytest.mark.anyio
async def test_asynchronous_client(service: Api) -> None:
    """The asynchronous client reads the group of the current facts, and serves the rules of the service."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    async with Fakts(HardGrant(facts(service.url))), await AsyncHeksherClient.from_fakts():
        assert (setting.get(user="a"), setting.get(user="b")) == (2, 1)


def test_thread_client(service: Api) -> None:
    """The thread client accepts a loader and the path of another group."""
    service.declare("x", configurable_features=["environment"], default_value=1)
    service.add_rule(2, "x", environment="dev")
    setting = Setting("x", int, ["environment"], 1)
    group = facts(service.url, track={"environment": ["dev", "prod"]})["heksher"]
    with ThreadHeksherClient.from_fakts(Fakts(HardGrant({"other": group})), group="other"):
        assert setting.get() == 2


def test_from_environment_variables(service: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything can come from environment variables, where lists are strings."""
    variables = {
        "SERVICE_URL": service.url,
        "UPDATE_INTERVAL": "1000",
        "CONTEXT_FEATURES": ", ".join(FEATURES),
        "DEFAULTS__ENVIRONMENT": "dev",
        "TRACK__USER": "a, b",
        "TRACK__ENVIRONMENT": "*",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"FAKTS_HEKSHER__{name}", value)
    client = ThreadHeksherClient.from_fakts(Fakts(EnvGrant()))
    assert client._engine.context_features == tuple(FEATURES)
    assert client._engine.options.tracked == {"user": {"a", "b"}, "environment": TRACK_ALL}
    assert client._engine.options.defaults == {"environment": "dev"}
    with client:
        client.ping()


@pytest.mark.parametrize(
    ("more", "given", "sent"),
    [
        ({"token": "hunter2"}, {}, "Bearer hunter2"),
        ({"headers": {"Authorization": "Basic x"}}, {}, "Basic x"),
        ({"token": "hunter2"}, {"headers": {"authorization": "mine"}}, "mine"),
        ({"token": "hunter2"}, {"headers": {"x-other": "1"}}, "Bearer hunter2"),
        ({"token": "hunter2"}, {"headers": [("Authorization", "mine")]}, "mine"),
    ],
)
def test_authentication(more: Any, given: Any, sent: str) -> None:
    """The token or headers are sent with each request unless the program passes its own; the token is not displayed."""
    with scripted_service() as scripted:
        fakts = Fakts(HardGrant(facts(scripted.url, **more)))
        Setting("x", int, ["user"], 1)
        keep = Setting("y", int, ["user"], 1)
        with ThreadHeksherClient.from_fakts(fakts, http_client_args=given) as client:
            assert keep.get(user="a") == 1
            assert "hunter2" not in repr(client) + repr(fakts)
        headers = {name.lower(): value for name, value in scripted.of(QUERY)[0].headers.items()}
        assert headers["authorization"] == sent
    assert "hunter2" not in repr(read_client_facts(fakts.get("heksher")))


def test_push() -> None:
    """The group can disable push, also as text, and an argument of the program overrides it."""
    for said, given, push in ((False, None, False), ("false", None, False), ("true", None, True), (False, True, True)):
        fakts = Fakts(HardGrant(facts("http://127.0.0.1:9", push=said)))
        options: dict[str, Any] = {} if given is None else {"push": given}
        assert ThreadHeksherClient.from_fakts(fakts, **options)._policy.push is push


def test_without_a_service(tmp_path: Path) -> None:
    """With service_url null the client requires a snapshot."""
    snapshot = tmp_path / "settings.snapshot"
    fakts = Fakts(HardGrant({"heksher": {"service_url": None, "context_features": FEATURES}}))
    with pytest.raises(SnapshotError), ThreadHeksherClient.from_fakts(fakts, snapshot=snapshot, startup="require"):
        pass
    with pytest.raises(ValueError, match="a client without a service needs a snapshot"):
        ThreadHeksherClient.from_fakts(fakts)


def test_further_arguments(service: Api) -> None:
    """Keyword arguments are passed to the client, which rejects unknown ones."""
    fakts = Fakts(HardGrant(facts(service.url)))
    with ThreadHeksherClient.from_fakts(fakts, startup="require", max_staleness=5):
        pass
    with pytest.raises(TypeError, match="unknown"):
        ThreadHeksherClient.from_fakts(fakts, unknown=1)


@pytest.mark.parametrize(
    ("group", "problems"),
    [
        ({}, {"service_url": "it is missing", "context_features": "it is missing"}),
        ("hunter2", {"heksher": "expected a mapping, not a value of type str"}),
        (
            {"service_url": 5, "update_interval": "soon", "context_features": [1], "defaults": {"a": 1}, "track": "*"},
            {
                "service_url": "expected a string, not a value of type int",
                "update_interval": "expected a number of seconds greater than 0, not a value of type str",
                "context_features": "expected a list of strings that are not empty",
                "defaults": "expected a mapping of strings",
                "track": "expected a mapping of context features to values, not a value of type str",
            },
        ),
        (
            {
                "service_url": "http://x",
                "push": "maybe",
                "update_interval": float("nan"),
                "context_features": "a;b",
                "headers": {"authorization": "x"},
                "token": "hunter2",
                "track": {"a": 5},
            },
            {
                "push": "expected true or false, not a value of type str",
                "token": "the headers contain Authorization already",
                "update_interval": "expected a number of seconds greater than 0, not a value of type float",
                "context_features": f"an item contains a semicolon; {LIST_NOTATION}",
                "track": "expected a list, not a value of type int",
            },
        ),
    ],
)
def test_every_offending_key(group: Any, problems: dict[str, str]) -> None:
    """The error lists every malformed key of the group, and no values."""
    with pytest.raises(FactsShapeError) as caught:
        ThreadHeksherClient.from_fakts(Fakts(HardGrant({"heksher": group})))
    assert caught.value.problems == problems
    assert "hunter2" not in str(caught.value)


def test_without_facts() -> None:
    """Outside of every block, and without the group, the error says so."""
    with pytest.raises(NoFaktsFound):
        ThreadHeksherClient.from_fakts()
    with pytest.raises(GroupNotFound, match="there is no 'heksher' in the facts"):
        ThreadHeksherClient.from_fakts(Fakts(HardGrant({})))


class Moving:
    """A grant whose facts change."""

    def __init__(self, url: str, **more: Any) -> None:
        self.facts = facts(url, **more)

    async def aload(self, _: LoadRequest) -> dict[str, Any]:
        return self.facts


def test_a_thread_client_moves(log: Log) -> None:
    """A client uses another address and token as soon as its facts have changed, and closes its old connections."""
    with scripted_service() as before, scripted_service() as after:
        grant = Moving(before.url, token="hunter2")  # noqa: S106
        fakts = Fakts(grant)
        setting = Setting("x", int, ["user"], 1)
        with ThreadHeksherClient.from_fakts(fakts) as client:
            client.wait_until_fresh(10)
            grant.facts = facts(after.url, token="hunter3")  # noqa: S106
            fakts.refresh()
            until(lambda: after.of(QUERY))
            client.wait_until_fresh(10)
            client.ping()
            assert setting.get(user="a") == 1
            seen = len(before.received)
            client.reload()
            assert len(before.received) == seen
        assert {request.headers["Authorization"] for request in after.received} == {"Bearer hunter3"}
    assert f"client uses changed facts: {after.url}" in log.caplog.text
    assert "hunter" not in log.caplog.text


@pytest.mark.anyio
async def test_an_asynchronous_client_moves() -> None:
    """An asynchronous client moves too, with its own arguments; unchanged and other keys leave it where it is."""
    with scripted_service() as before, scripted_service() as after:
        grant = Moving(before.url)
        fakts = Fakts(grant)
        setting = Setting("x", int, ["user"], 1)
        args = {"headers": {"x-mine": "1"}}
        async with await AsyncHeksherClient.from_fakts(fakts, http_client_args=args) as client:
            grant.facts = facts(before.url, update_interval=2000)
            await fakts.arefresh()
            assert after.received == []
            grant.facts = facts(after.url)
            await fakts.arefresh()
            await until_async(lambda: after.of(QUERY))
            await client.ping()
            assert setting.get(user="a") == 1
        assert {request.headers["x-mine"] for request in after.received} == {"1"}


@pytest.mark.parametrize(
    "changed", [{"service_url": 5}, {"service_url": None}, {"service_url": "ftp://x"}, {"token": ""}]
)
def test_changed_facts_that_cannot_be_used(changed: Any, log: Log) -> None:
    """A client stays where it is if the changed group is malformed, and the log says why."""
    with scripted_service() as scripted:
        grant = Moving(scripted.url)
        fakts = Fakts(grant)
        keep = Setting("x", int, ["user"], 1)
        with ThreadHeksherClient.from_fakts(fakts) as client:
            for value in ({"heksher": facts(scripted.url)["heksher"] | changed}, {"heksher": None}, {}):
                grant.facts = value
                fakts.refresh()
            client.ping()
            assert keep.get(user="a") == 1
    assert log.caplog.text.count("changed facts of a client cannot be used: ") == 3
