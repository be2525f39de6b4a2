"""The state of an engine: an update only applies to the state that it was fetched for."""

from typing import Any

import orjson

from heksherlite import TRACK_ALL, Setting
from heksherlite.engine import protocol
from heksherlite.engine.engine import Engine
from heksherlite.engine.messages import Flow, Request, Response
from heksherlite.engine.options import ContextOptions


class Service:
    """A service in memory, with one rule for each user.

    Attributes:
        users: The values of the rules, by user.
        queries: The queries so far.
        missing: The names that it does not have.
    """

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.revision = 1
        self.queries: list[Request] = []
        self.missing: set[str] = set()

    def respond(self, request: Request) -> Response:
        if request.path == "/api/v1/context_features":
            return Response(request, 200, b'{"context_features":["user"]}')
        if request.path == "/api/v1/settings/declare":
            return Response(request, 200, b'{"outcome":"created"}')
        if request.path != "/api/v1/query":
            found = request.path.rpartition("/")[2] not in self.missing
            body = orjson.dumps({"name": request.path.rpartition("/")[2]})
            return Response(request, 200 if found else 404, body)
        return self._query(request)

    def _query(self, request: Request) -> Response:
        self.queries.append(request)
        names = dict(request.params)["settings"].split(",")
        if self.missing.intersection(names):
            return Response(request, 404, b"")
        tag = f'"{self.revision}"'
        if request.headers.get("If-None-Match") == tag:
            return Response(request, 304, etag=tag)
        lines: list[Any] = [{"context_features": ["user"]}]
        for name in filter(None, names):
            users = dict(request.params)["context_filters"].removeprefix("user:(").removesuffix(")").split(",")
            rules = {user: value for user, value in self.users.items() if users == ["user:*"] or user in users}
            lines.append({"setting": name, "default_value": 0, "whole": True})
            numbers = [sorted(self.users).index(user) + 1 for user in rules]
            batch = {"rule_ids": numbers, "context_features": ["user"], "context_values": [list(rules)]}
            lines.append({**batch, "values": list(rules.values())})
        lines.append({"settings": len(list(filter(None, names)))})
        return Response(request, 200, b"\n".join(map(orjson.dumps, lines)), tag, protocol.LINES)

    def run(self, flow: Flow[Any]) -> Any:
        try:
            requests = next(flow)
            while True:
                requests = flow.send([self.respond(request) for request in requests])
        except StopIteration as stop:
            return stop.value


class Program:
    """The client of the settings."""

    is_live = True


def engine_of(tracked: Any, *settings: Setting[int]) -> Engine:
    engine = Engine(["user"], ContextOptions())
    engine.track_contexts({"user": tracked})
    engine.adopt(settings)
    return engine


def update(engine: Engine, service: Service) -> None:
    service.run(engine.declare())
    assert engine.apply(service.run(engine.fetch()), Program()) is not None


def test_nothing_new_is_no_change() -> None:
    """A fetch sends the tag of the state in force, and an update without news has no lookups."""
    service = Service()
    engine = engine_of(TRACK_ALL, setting := Setting("x", int, ["user"], 0))
    service.users = {"a": 1}
    update(engine, service)
    assert setting.get(user="a") == 1
    idle = service.run(engine.fetch())
    assert idle.lookups == []
    assert service.queries[-1].headers["If-None-Match"] == '"1"'


def test_an_update_of_another_state_does_not_apply() -> None:
    """An update that was fetched before a return to the defaults is refused, and the next fetch is complete."""
    service = Service()
    engine = engine_of(TRACK_ALL, setting := Setting("x", int, ["user"], 0))
    service.users = {"a": 1}
    update(engine, service)
    late = service.run(engine.fetch())
    engine.return_to_defaults()
    assert engine.apply(late, Program()) is None
    assert setting.get(user="a") == 0
    update(engine, service)
    assert "If-None-Match" not in service.queries[-1].headers
    assert setting.get(user="a") == 1


def test_an_update_applies_once() -> None:
    """Of two updates that were fetched for the same state, only the first is applied."""
    service = Service()
    engine = engine_of(TRACK_ALL, setting := Setting("x", int, ["user"], 0))
    service.run(engine.declare())
    service.users = {"a": 1}
    first = service.run(engine.fetch())
    service.users, service.revision = {"a": 2}, 2
    second = service.run(engine.fetch())
    assert engine.apply(second, Program()) is not None
    assert engine.apply(first, Program()) is None
    assert setting.get(user="a") == 2


def test_a_new_setting_makes_the_next_fetch_complete() -> None:
    """After a declaration, no tag is sent: the new setting has none of the earlier responses."""
    service = Service()
    engine = engine_of(TRACK_ALL, Setting("x", int, ["user"], 0))
    service.users = {"a": 1}
    update(engine, service)
    again = Setting("x", int, ["user"], 0)
    engine.adopt([again])
    update(engine, service)
    assert again.get(user="a") == 1


def test_a_setting_that_the_service_does_not_have_costs_nothing_else() -> None:
    """If the service accepts a declaration and does not have the setting, the others are queried without it."""
    service = Service()
    good, bad = Setting("good", int, ["user"], 0), Setting("bad", int, ["user"], 0)
    engine = engine_of(TRACK_ALL, good, bad)
    service.missing, service.users = {"bad"}, {"a": 1}
    update(engine, service)
    assert (good.get(user="a"), bad.get(user="a")) == (1, 0)
    assert engine.registry.pending == [bad]
    assert "does not have this setting" in engine.registry.refusals["bad"]
    service.missing = set()
    update(engine, service)
    assert bad.get(user="a") == 1
    assert engine.registry.refusals == {}


def test_rules_of_divided_filters_are_joined() -> None:
    """With more tracked values than a URL can have, rules of all of them arrive, change, and disappear."""
    service = Service()
    users = [f"tenant-{number:06}" for number in range(6000)]
    engine = engine_of(users, setting := Setting("x", int, ["user"], 0))
    service.users = {users[0]: 1, users[-1]: 2}
    update(engine, service)
    assert len({dict(request.params)["context_filters"] for request in service.queries}) > 1
    assert (setting.get(user=users[0]), setting.get(user=users[-1])) == (1, 2)
    service.users, service.revision = {users[0]: 3}, 2
    update(engine, service)
    assert (setting.get(user=users[0]), setting.get(user=users[-1])) == (3, 0)
    engine.track_contexts({"user": ["another"]})
    service.users, service.revision = {users[0]: 3, "another": 4}, 3
    update(engine, service)
    assert (setting.get(user=users[0]), setting.get(user="another")) == (3, 4)
