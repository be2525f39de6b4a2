"""One part of a query that the service refuses costs that part, and nothing else."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
from heksherlite.engine.engine import Engine
from heksherlite.engine.messages import Flow, Request, Response
from heksherlite.engine.options import ContextOptions
from tests.sdk.conftest import Log
from tests.sdk.scripted_service import DECLARE, QUERY, Received, Scripted, ScriptedService
from tests.sdk.test_engine_state import Program, Service

Refuses = Callable[[Mapping[str, str]], bool]


def parts_of(params: Mapping[str, str]) -> set[str]:
    """Return the names, features and values of a query."""
    filters = params["context_filters"].replace("(", ",").replace(")", "").replace(":", ",")
    return {*params["settings"].split(","), *filters.split(",")}


def answers(request: Received) -> Scripted:
    """Answer with one rule of each queried setting, for a user."""
    rule = {"rule_id": 1, "value": 5, "context_features": [["user", "a"]]}
    names = [name for name in request.params["settings"].split(",") if name]
    rules = [rule] if "user:(a" in request.params["context_filters"] else []
    return Scripted({"settings": {name: {"default_value": 1, "rules": rules} for name in names}})


def refuse(scripted: ScriptedService, status: int, refuses: Refuses) -> None:
    """Refuse queries with a status."""

    def answer(request: Received) -> Scripted:
        return Scripted("no", status) if refuses(request.params) else answers(request)

    scripted.script[QUERY] = answer


def client_of(scripted: ScriptedService, **tracked: Any) -> ThreadHeksherClient:
    client = ThreadHeksherClient(scripted.url, 1000, ["user", "environment"], push=False, startup_timeout=60)
    client.track_contexts(**(tracked or {"user": ["a", "b"]}))
    return client


@pytest.mark.parametrize("status", [400, 403, 410, 413, 414, 422, 431])
def test_a_setting_that_is_refused(scripted: ScriptedService, log: Log, status: int) -> None:
    """The setting becomes pending with the reason, and the others update. It is logged once."""
    settings = [Setting(f"x{number}", int, ["user"], 1) for number in range(7)]
    refuse(scripted, status, lambda params: "x3" in parts_of(params))
    with client_of(scripted) as client:
        client.reload()
        assert [setting.get(user="a") for setting in settings] == [5, 5, 5, 1, 5, 5, 5]
        assert (client.status.state, client.status.undeclared) == ("fresh", 1)
        assert [problem.setting for problem in client.status.problems] == ["x3"]
        assert str(status) in str(client.status.problems[0])
        assert list(log.one("the service refuses a part of the query")["refused_parts"]) == ["setting 'x3'"]
        refuse(scripted, status, lambda _: False)
        client.reload()
        assert settings[3].get(user="a") == 5
        assert client.status.problems == ()
        log.one("the service accepts the whole query again")


def test_a_value_that_is_refused(scripted: ScriptedService, log: Log) -> None:
    """A tracked value is left out, ``status`` and ``explain`` say so, and rules for other values apply."""
    setting = Setting("x", int, ["user"], 1)
    refuse(scripted, 422, lambda params: "b" in parts_of(params))
    with client_of(scripted, user=["a", "b", "c"]) as client:
        assert setting.get(user="a") == 5
        status = client.status
        assert (status.state, status.refused_values, status.undeclared) == ("fresh", 1, 0)
        assert str(status.problems[0]).startswith("refused value: user='b': ")
        assert "the service refuses user='b' in queries" in str(setting.explain(user="b"))
        log.one("the service refuses a part of the query")
        refuse(scripted, 422, lambda _: False)
        client.reload()
        assert client.status.refused_values == 0
        assert "refuses" not in str(setting.explain(user="b"))


def test_a_feature_that_is_refused(scripted: ScriptedService) -> None:
    """A feature of which all values are tracked is left out as a whole."""
    setting = Setting("x", int, ["user"], 1)
    refuse(scripted, 400, lambda params: "environment" in parts_of(params))
    with client_of(scripted, user=["a"], environment=TRACK_ALL) as client:
        assert setting.get(user="a") == 5
        assert [problem.reason.partition(":")[0] for problem in client.status.problems] == ["environment='*'"]


@pytest.mark.parametrize("status", [400, 414])
def test_long_queries_that_are_refused(scripted: ScriptedService, status: int) -> None:
    """If a proxy refuses long URLs, queries are divided further, and nothing is left out."""
    settings = [Setting(f"a.setting.with.a.long.name.{number}", int, ["user"], 1) for number in range(40)]
    refuse(scripted, status, lambda params: sum(map(len, params.values())) > 1500)
    with client_of(scripted, user=["a", *(f"tenant-{number}" for number in range(60))]) as client:
        assert {setting.get(user="a") for setting in settings} == {5}
        assert (client.status.state, client.status.problems) == ("fresh", ())
        before = len(scripted.of(QUERY))
        client.reload()
        assert all(sum(map(len, request.params.values())) <= 1500 for request in scripted.of(QUERY)[before:])


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_status_that_is_about_something_else(scripted: ScriptedService, status: int) -> None:
    """Nothing is divided if the status does not depend on the parts of the query."""
    Setting("x", int, ["user"], 1)
    kept = [Setting("y", int, ["user"], 1), Setting("z", int, ["user"], 1)]
    refuse(scripted, status, lambda _: True)
    with client_of(scripted) as client:
        assert client.status.state == "failed"
        assert len(scripted.of(QUERY)) == 1
        assert len(kept) == 2


def test_everything_is_refused(scripted: ScriptedService) -> None:
    """If every part is refused, the update fails, nothing is left out, and few requests are sent."""
    settings = [Setting(f"x{number}", int, ["user"], 1) for number in range(120)]
    refuse(scripted, 403, lambda _: True)
    with client_of(scripted) as client:
        assert (client.status.state, client.status.undeclared) == ("failed", 0)
        assert isinstance(client.status.last_error, httpx.HTTPStatusError)
        assert len(scripted.of(QUERY)) < 130
        refuse(scripted, 403, lambda _: False)
        client.reload()
        assert {setting.get(user="a") for setting in settings} == {5}


@pytest.mark.parametrize("status", [404, 422])
def test_many_declarations_that_are_refused(scripted: ScriptedService, status: int) -> None:
    """However many declarations are refused, the others are sent."""
    settings = [Setting(f"x{number:02}", int, ["user"], 1) for number in range(70)]
    good = {setting.name for setting in settings[60:]}

    def declare(request: Received) -> Scripted:
        return Scripted({"outcome": "created"}) if json.loads(request.body)["name"] in good else Scripted("no", status)

    scripted.script[DECLARE] = declare
    scripted.script[QUERY] = answers
    with client_of(scripted) as client:
        assert [setting.get(user="a") for setting in settings] == [1] * 60 + [5] * 10
        assert (client.status.state, client.status.undeclared) == ("fresh", 60)


def test_no_setting_is_declared(scripted: ScriptedService) -> None:
    """A client whose settings are all refused is not fresh, and recovers."""
    setting = Setting("x", int, ["user"], 1)
    scripted.script[DECLARE] = Scripted("no", 422)
    scripted.script[QUERY] = answers
    with client_of(scripted) as client:
        assert (client.status.state, client.status.source, client.status.undeclared) == ("failed", "defaults", 1)
        scripted.script[DECLARE] = Scripted({"outcome": "created"})
        client.reload()
        assert (client.status.state, setting.get(user="a")) == ("fresh", 5)
        late = Setting("late", int, ["user"], 1)
        assert client.status.state == "fresh"
        assert late.get(user="a") == 1


@pytest.mark.anyio
async def test_no_setting_of_an_async_client_is_declared(scripted: ScriptedService) -> None:
    """An asynchronous client that requires its service does not start."""
    setting = Setting("x", int, ["user"], 1)
    scripted.script[DECLARE] = Scripted("no", 422)
    client = AsyncHeksherClient(scripted.url, 1000, ["user"], push=False)
    client.track_contexts(user=TRACK_ALL)
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await client.set_as_main()
    assert setting.get(user="a") == 1


class Refusing(Service):
    """A service in memory that refuses queries with certain names and users."""

    def __init__(self, refused: set[str]) -> None:
        super().__init__()
        self.refused = refused

    def run(self, flow: Flow[Any]) -> Any:
        try:
            requests = next(flow)
            while True:
                requests = flow.send([self.outcome(request) for request in requests])
        except StopIteration as stop:
            return stop.value

    def outcome(self, request: Request) -> Any:
        if request.path == QUERY and self.refused & parts_of(dict(request.params)):
            url = httpx.Request("GET", "http://service")
            return httpx.HTTPStatusError("refused", request=url, response=httpx.Response(422, request=url))
        response: Response = self.respond(request)
        return response


@hypothesis.settings(max_examples=50, deadline=None)
@given(
    names=st.integers(1, 30),
    users=st.integers(1, 20),
    bad_names=st.sets(st.integers(0, 29)),
    bad_users=st.sets(st.integers(0, 19)),
)
def test_good_parts_always_update(names: int, users: int, bad_names: set[int], bad_users: set[int]) -> None:
    """Whatever is refused, exactly that is left out, and comes back when it is accepted."""
    settings = [Setting(f"s{number}", int, ["user"], 0) for number in range(names)]
    bad_names.discard(0)  # if all are refused, nothing can be updated
    service = Refusing({*(f"s{number}" for number in bad_names), *(f"u{number}" for number in bad_users)})
    service.users = {f"u{number}": number + 1 for number in range(users)}
    engine = Engine(["user"], ContextOptions())
    engine.track_contexts({"user": list(service.users)})
    engine.adopt(settings)

    def check() -> None:
        service.run(engine.declare())
        assert engine.apply(service.run(engine.fetch()), Program()) is not None
        for setting in settings:
            for user, value in service.users.items():
                is_good = not service.refused & {setting.name, user}
                assert is_good <= (setting.get(user=user) == value)
        problems = {problem.setting or problem.reason.split("'")[1] for problem in engine.problems.listed}
        assert problems == service.refused & {*service.users, *(setting.name for setting in settings)}

    check()
    check()
    service.refused = set()
    check()
