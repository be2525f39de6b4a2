import collections.abc
import itertools
from enum import IntFlag
from typing import Any

import pytest

from heksherlite import Setting
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import DECLARE, QUERY, Received, Scripted, ScriptedService, queried, rule
from tests.service.api import FEATURES, Api
from tests.waiting import until


class Access(IntFlag):
    READ = 1
    WRITE = 2


def test_validators_run_in_order_on_rules_and_defaults(service: Api, connect: Connect) -> None:
    """Validators get each rule's value and the service's default, in order of addition, and return what is used."""
    setting = Setting("x", int, ["environment", "user"], 1)
    calls: list[Any] = []

    @setting.add_validator
    def add_ten(value: int, rule: Any, given: Any) -> int:
        calls.append((value, rule and (rule.rule_id, tuple(rule.context_features)), given))
        return value + 10

    setting.add_validator(lambda value, _rule, _setting: value * 2)
    service.declare("x", default_value=1)
    rule_id = service.add_rule(5, "x", environment="a", user="b")
    connect(service.url)
    assert sorted(calls, key=str) == sorted(
        [(1, None, setting), (5, (rule_id, (("environment", "a"), ("user", "b"))), setting)], key=str
    )
    assert setting.get(environment="a", user="b") == 30
    assert setting.get(environment="x", user="b") == 22
    assert add_ten(0, None, setting) == 10


def test_validators_are_not_called_with_local_defaults() -> None:
    """The default of the declaration is used as it is."""
    setting = Setting("x", int, ["user"], 1)
    setting.add_validator(lambda value, _rule, _setting: value + 10)
    assert setting.get(user="a") == 1


@pytest.mark.parametrize("error", [TypeError("no"), ValueError("no"), KeyError("no")])
def test_a_validator_rejects_by_raising(service: Api, connect: Connect, log: Log, error: Exception) -> None:
    """A value that a validator refuses is dropped; the other rules hold, and the update goes on."""
    setting = Setting("x", int, ["user"], 1)

    @setting.add_validator
    def below_ten(value: int, _rule: Any, _setting: Any) -> int:
        if value >= 10:
            raise error
        return value

    client = connect(service.url)
    refused = service.add_rule(10, "x", user="a")
    service.add_rule(9, "x", user="b")
    client.reload()
    assert (setting.get(user="a"), setting.get(user="b")) == (1, 9)
    assert list(log.one("setting update rejected rules")["rejected_rules"]) == [refused]


def test_a_refused_default_leaves_the_last_valid_one(service: Api, connect: Connect) -> None:
    """A server default that cannot be used leaves the last valid server default in force, with the new rules."""
    setting = Setting("x", int, ["user"], 1)
    service.declare("x", configurable_features=["user"], type="float", default_value=5)
    client = connect(service.url)
    assert setting.get(user="a") == 5
    service.declare("x", configurable_features=["user"], type="float", default_value=5.5, version="1.1")
    service.add_rule(7, "x", user="b")
    client.reload()
    assert (setting.get(user="a"), setting.get(user="b")) == (5, 7)


def test_without_a_valid_default_the_local_one_holds(scripted: ScriptedService, connect: Connect) -> None:
    """A server default that never could be used leaves the local default in force."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", "text", rule(1, 5, user="a"))
    connect(scripted.url)
    assert (setting.get(user="a"), setting.get(user="b")) == (5, 1)


def test_on_coerce_is_asked(scripted: ScriptedService, connect: Connect) -> None:
    """``on_coerce`` gets the value, raw value, coercions, rule and setting. Its result is used."""
    calls: list[Any] = []

    def on_coerce(value: Access, raw: Any, coercions: Any, rule: Any, given: Any) -> Access:
        calls.append((value, raw, list(coercions), rule and rule.rule_id, given))
        return value | Access.WRITE

    setting = Setting("x", Access, ["user"], Access(0), on_coerce=on_coerce)
    scripted.serve("x", ["Y"], rule(7, ["READ", "X"], user="a"), rule(8, ["READ"], user="b"))
    connect(scripted.url)
    dropped = "server sent a flag value not found in the python type"
    assert calls == [
        (Access.READ, ["READ", "X"], [f"{dropped} (X)"], 7, setting),
        (Access(0), ["Y"], [f"{dropped} (Y)"], None, setting),
    ]
    assert [setting.get(user=user) for user in "abc"] == [Access.READ | Access.WRITE, Access.READ, Access.WRITE]


def refuse(*_: Any) -> Any:
    raise TypeError("refused")


@pytest.mark.parametrize("on_coerce", [refuse, None])
def test_coercions_can_be_refused(scripted: ScriptedService, connect: Connect, on_coerce: Any) -> None:
    """A coercion is rejected by a TypeError of on_coerce, and all of them by on_coerce=None."""
    setting = Setting("x", Access, ["user"], Access.WRITE, on_coerce=on_coerce)
    scripted.serve("x", ["Y"], rule(7, ["READ", "X"], user="a"), rule(8, ["READ"], user="b"))
    connect(scripted.url)
    assert [setting.get(user=user) for user in "abc"] == [Access.WRITE, Access.READ, Access.WRITE]


def test_coercions_are_accepted_by_default(scripted: ScriptedService, connect: Connect) -> None:
    """Without on_coerce, what could be converted is used, and validators see it."""
    setting = Setting("x", collections.abc.Sequence[int], ["user"], ())
    setting.add_validator(lambda value, _rule, _setting: (*value, 0))
    scripted.serve("x", [1, "two"], rule(7, ["one", 2.0], user="a"))
    connect(scripted.url)
    assert (setting.get(user="a"), setting.get(user="b")) == ((2, 0), (1, 0))


def test_rules_on_other_features_are_dropped(service: Api, connect: Connect, log: Log) -> None:
    """A rule on a feature that the local declaration lacks is rejected; the others hold."""
    service.declare("x", configurable_features=FEATURES, default_value=1)
    dropped = service.add_rule(2, "x", user="a", theme="dark")
    service.add_rule(3, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    assert setting.get(user="a") == 3
    rejected = log.one("setting update rejected rules")["rejected_rules"]
    assert list(rejected) == [dropped]
    assert "'theme'" in rejected[dropped]


def test_unchanged_rules_are_not_sent_again(service: Api, connect: Connect) -> None:
    """The query sends If-None-Match; a 304 changes nothing, and a change in the service is seen after it."""
    validated: list[int] = []
    setting = Setting("x", int, ["user"], 1)

    @setting.add_validator
    def note(value: int, _rule: Any, _setting: Any) -> int:
        validated.append(value)
        return value

    client = connect(service.url)
    for _ in range(3):
        client.reload()
    assert validated == [1]
    service.add_rule(2, "x", user="a")
    client.reload()
    assert validated[1:] == [2, 1]
    assert setting.get(user="a") == 2


def test_the_tag_is_sent_only_with_the_same_query(scripted: ScriptedService, connect: Connect) -> None:
    """If-None-Match has the last tag, unless settings or tracking changed since."""
    scripted.script[QUERY] = Scripted(queried("x", 1), headers={"ETag": '"1"'})
    scripted.script["/api/v1/settings/y"] = Scripted({"name": "y"})
    settings = [Setting("x", int, ["user"], 1)]
    client = connect(scripted.url, tracked={"user": "a"})
    client.reload()
    settings.append(Setting("y", int, ["user"], 1))
    client.reload()
    client.track_contexts(user="b")
    client.reload()
    client.reload()
    tags = {
        (request.params["settings"], request.params["context_filters"]): [
            same.headers.get("If-None-Match") for same in scripted.of(QUERY) if same.params == request.params
        ]
        for request in scripted.of(QUERY)
    }
    assert {query: sent[0] for query, sent in tags.items()} == {
        ("x", "user:(a)"): None,
        ("x,y", "user:(a)"): None,
        ("x,y", "user:(a,b)"): None,
    }
    assert tags["x", "user:(a)"][1] == tags["x,y", "user:(a,b)"][-1] == '"1"'


GOOD = rule(1, 2, user="a")
MALFORMED: dict[str, Any] = {
    "not JSON": b"<html>",
    "nothing": b"",
    "not UTF-8": b'{"settings": {"x": {"default_value": "\xff", "rules": []}}}',
    "too deep": b'{"settings": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list": [],
    "null": None,
    "no settings": {},
    "settings as a list": {"settings": []},
    "settings as null": {"settings": None},
    "a setting as a list": {"settings": {"x": []}},
    "no rules": {"settings": {"x": {"default_value": 3}}},
    "no default": {"settings": {"x": {"rules": []}}},
    "rules as null": {"settings": {"x": {"default_value": 3, "rules": None}}},
    "rules as an object": {"settings": {"x": {"default_value": 3, "rules": {}}}},
    **{
        f"a rule with {what}": queried("x", 3, rule(2, 4, user="c"), broken)
        for what, broken in {
            "nothing but null": None,
            "a string": "rule",
            "a list": [1, 2, []],
            "no id": {"value": 2, "context_features": [["user", "a"]]},
            "no value": {"rule_id": 1, "context_features": [["user", "a"]]},
            "no conditions": {"rule_id": 1, "value": 2},
            "a string as id": GOOD | {"rule_id": "1"},
            "null as id": GOOD | {"rule_id": None},
            "true as id": GOOD | {"rule_id": True},
            "a fraction as id": GOOD | {"rule_id": 1.5},
            "a huge id": GOOD | {"rule_id": 10**30},
            "null as conditions": GOOD | {"context_features": None},
            "conditions as an object": GOOD | {"context_features": {"user": "a"}},
            "a string as conditions": GOOD | {"context_features": "user"},
            "a triple": GOOD | {"context_features": [["user", "a", "b"]]},
            "a single": GOOD | {"context_features": [["user"]]},
            "a number as value of a condition": GOOD | {"context_features": [["user", 1]]},
            "a list as value of a condition": GOOD | {"context_features": [["user", ["a"]]]},
            "null as feature": GOOD | {"context_features": [[None, "a"]]},
            "a list as feature": GOOD | {"context_features": [[["user"], "a"]]},
            "a feature twice": GOOD | {"context_features": [["user", "a"], ["user", "b"]]},
            "a string of two letters as condition": GOOD | {"context_features": ["ab"]},
        }.items()
    },
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_response_changes_nothing(scripted: ScriptedService, connect: Connect, log: Log, body: Any) -> None:
    """A response that is wrong in any place is logged and not applied at all; the next good one is."""
    setting, other = Setting("x", int, ["user"], 1), Setting("a_good_one", int, ["user"], 1)
    good = {"default_value": 10, "rules": [rule(5, 50, user="a")]}
    scripted.script[QUERY] = Scripted({"settings": {"x": good, "a_good_one": good}}, headers={"ETag": '"1"'})
    client = connect(scripted.url)
    assert (setting.get(user="a"), setting.get(user="b")) == (50, 10)
    if isinstance(body, dict) and isinstance(body.get("settings"), dict):
        better = {"default_value": 11, "rules": [rule(5, 51, user="a")]}
        body = {"settings": {"a_good_one": better, **body["settings"]}}
    scripted.script[QUERY] = Scripted(body, headers={"ETag": '"2"'})
    client.reload()
    assert log.one("error during heksher update")["levelname"] == "ERROR"
    for one in (setting, other):
        assert (one.get(user="a"), one.get(user="b")) == (50, 10)
    tags: list[str | None] = []

    def answer(request: Received) -> Scripted:
        tags.append(request.headers.get("If-None-Match"))
        return Scripted({"settings": {"x": good | {"default_value": 12}, "a_good_one": good}})

    scripted.script[QUERY] = answer
    client.reload()  # the client may have tried again by itself just before
    assert tags[0] == '"1"'
    assert (setting.get(user="a"), setting.get(user="b")) == (50, 12)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        [],
        None,
        {},
        {"outcome": 1},
        {"outcome": None},
        {"outcome": "outdated", "differences": None},
        {"outcome": "outdated", "differences": [1]},
        {"outcome": "outdated", "latest_version": 2},
    ],
)
def test_a_malformed_declaration_response_is_tried_again(
    scripted: ScriptedService, connect: Connect, log: Log, body: Any
) -> None:
    """A malformed response to a declaration is logged, and the setting is declared again with the next update."""
    scripted.script[DECLARE] = Scripted(body)
    scripted.serve("x", 5)
    setting = Setting("x", int, ["user"], 1)
    client = connect(scripted.url)
    assert log.one("declaration failed")["levelname"] == "ERROR"
    assert setting.get(user="a") == 1
    scripted.script[DECLARE] = Scripted({"outcome": "created"})
    client.reload()
    assert setting.get(user="a") == 5


def test_malformed_versions_do_not_stop_the_update(scripted: ScriptedService, connect: Connect) -> None:
    """A malformed or huge version in the response to a declaration does not stop the update."""
    settings = [Setting(name, int, ["user"], 1) for name in "xy"]
    versions = itertools.cycle(["9" * 5000 + ".0", "two", "", "²."])

    def declare(_: Received) -> Scripted:
        return Scripted({"outcome": "outdated", "latest_version": next(versions), "differences": []})

    scripted.script[DECLARE] = declare
    response = {"default_value": 5, "rules": []}
    scripted.script[QUERY] = Scripted({"settings": {"x": response, "y": response}})
    for _ in range(2):
        settings += [Setting("x", int, ["user"], 1), Setting("y", int, ["user"], 1)]
    connect(scripted.url)
    assert [setting.get(user="a") for setting in settings] == [5] * 6


def test_the_client_recovers_by_itself(scripted: ScriptedService, connect: Connect) -> None:
    """While the service fails, the last good values hold; when it is back, updates go on at the interval."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 5)
    connect(scripted.url, 0.01)
    assert setting.get(user="a") == 5
    for failure in [Scripted(status=500), Scripted(b"x"), Scripted(status=404), Scripted(status=302), Scripted([])]:
        scripted.script[QUERY] = failure
        asked = len(scripted.of(QUERY))
        until(lambda: len(scripted.of(QUERY)) > asked + 1)  # noqa: B023 - called in this very loop
        assert setting.get(user="a") == 5
    scripted.serve("x", 6)
    until(lambda: setting.get(user="a") == 6)


@pytest.mark.thorough
def test_more_settings_than_fit_into_one_url(service: Api, connect: Connect) -> None:
    """Names that are too long for the URL of one query are asked for in several, each with a tag of its own."""
    settings = [Setting(f"{'x' * 200}_{number:03}", int, ["user"], number) for number in range(400)]
    client = connect(service.url)
    assert [setting.get(user="a") for setting in settings] == list(range(400))
    service.add_rule(-1, settings[0].name, user="a")
    service.add_rule(-2, settings[-1].name, user="a")
    client.reload()
    assert [setting.get(user="a") for setting in settings] == [-1, *range(1, 399), -2]
    service.add_rule(-3, settings[200].name, user="a")
    client.reload()
    assert [settings[index].get(user="a") for index in (0, 200, 399)] == [-1, -3, -2]
