"""Objects as values in running clients: from our service, from one without schemas, and from a snapshot."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient, setting_type
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import DECLARE, QUERY, Received, Scripted, ScriptedService, queried, rule
from tests.service.api import FEATURES, Api


@dataclass(frozen=True)
class Limits:
    attempts: Annotated[int, Ge(1)] = 3
    host: str = "a"


def limits() -> Setting[Limits]:
    return Setting("limits", Limits, ["user"], Limits())


def test_changes_of_objects(service: Api, connect: Connect) -> None:
    """Listeners get instances, an unchanged object is no change, and what the service refuses never arrives."""
    setting = limits()
    client = connect(service.url)
    changes: list[Any] = []

    @setting.on_change
    def record(_: Any, after: Any) -> None:
        changes.append([each.value for each in after])

    rule_id = service.add_rule({"attempts": 5}, "limits", user="a")
    client.reload()
    client.reload()
    assert changes == [[Limits(5)]]
    assert setting.get(user="a") == Limits(5)
    answer = service.call("PUT", f"rules/{rule_id}/value", {"value": {"attempts": 0}})
    assert answer.status_code == 400
    client.reload()
    assert setting.get(user="a") == Limits(5)


def test_a_service_that_knows_no_schemas(scripted: ScriptedService, connect: Connect) -> None:
    """The metadata has the schema there, and the client checks alone: a wrong rule is dropped, with its path."""
    wait: Setting[int] = Setting("wait", setting_type(Annotated[int, Ge(1)]), ["user"], 5)
    scripted.script[QUERY] = Scripted(queried("wait", 5, rule(1, 0, user="a"), rule(2, 7, user="b")))
    client = connect(scripted.url)
    assert json.loads(scripted.of(DECLARE)[0].body)["metadata"] == {"schema": {"minimum": 1}}
    assert (wait.get(user="a"), wait.get(user="b")) == (5, 7)
    assert "must be at least 1" in str(wait.explain(user="a"))
    assert client.status.rejected_rules == 1


def test_a_service_without_json_refuses_objects(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """The log says so with the service's reason, the program has its default, and other settings update."""

    def answer(request: Received) -> Scripted:
        if json.loads(request.body)["type"] == "Json":
            return Scripted({"detail": [{"loc": ["body", "type"], "msg": "unknown type Json"}]}, status=422)
        return Scripted({"outcome": "created"})

    scripted.script[DECLARE] = answer
    scripted.script[QUERY] = Scripted(queried("plain", 5))
    setting, plain = limits(), Setting("plain", int, ["user"], 1)
    client = connect(scripted.url)
    assert (setting.get(user="a"), plain.get(user="a")) == (Limits(), 5)
    record = log.one("declaration failed")
    assert record["levelname"] == "ERROR"
    (problem,) = client.status.problems
    assert (problem.setting, "unknown type Json" in problem.reason) == ("limits", True)
    assert "unknown type Json" in str(record["exc_info"][1])


def test_a_snapshot_has_objects(service: Api, tmp_path: Path) -> None:
    """A program that starts without the service has the instances of the snapshot."""
    setting, file = limits(), tmp_path / "snapshot"
    first = ThreadHeksherClient(service.url, 1000, FEATURES, snapshot=file, push=False)
    first.track_contexts(user=TRACK_ALL)
    with first:
        service.add_rule({"attempts": 7}, "limits", user="a")
        first.reload()
    again = limits()
    offline = ThreadHeksherClient(None, 1000, FEATURES, snapshot=file)
    offline.track_contexts(user=TRACK_ALL)
    with offline:
        assert again.get(user="a") == Limits(7)
    assert setting.get(user="a") == Limits(7)
