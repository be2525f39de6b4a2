"""Responses to queries in lines, and only what changed: docs/reference/partial-responses.md, from the client's side."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from heksherlite import Setting
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import QUERY, Received, Scripted, ScriptedService
from tests.service.api import Api

NAMES = ("environment", "user", "theme")
FEATURES = {"context_features": NAMES}
LINES = {"Content-Type": "application/x-ndjson", "ETag": '"1"'}
CHANGES = {"Content-Type": "application/x-ndjson", "ETag": '"2"', "IM": "heksherlite", "Delta-Base": '"1"'}
RULE = {"rule_ids": [7], "context_features": ["user"], "context_values": [["john"]], "values": [1]}


def lines(*data: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in data)


def begins(*, whole: bool = True, default_value: object = 60, **more: object) -> dict[str, Any]:
    return {"setting": "cache_ttl", "default_value": default_value, "whole": whole, **more}


@pytest.fixture
def cache_ttl() -> Setting[int]:
    return Setting("cache_ttl", int, ["environment", "user", "theme"], 60)


def value(setting: Setting[int], user: str) -> int:
    return setting.get(environment="dev", user=user, theme="dark")


def test_a_partial_response_changes_only_what_it_lists(
    connect: Connect, scripted: ScriptedService, cache_ttl: Setting[int]
) -> None:
    """Rules are added, changed and removed by their ids; the others stay."""
    other_rules = {
        "rule_ids": [8, 9],
        "context_features": ["user"],
        "context_values": [["jane", "joe"]],
        "values": [2, 3],
    }
    scripted.script[QUERY] = Scripted(lines(FEATURES, begins(), RULE, other_rules, {"settings": 1}), headers=LINES)
    client = connect(scripted.url)
    assert [value(cache_ttl, user) for user in ("john", "jane", "joe", "jill")] == [1, 2, 3, 60]

    def changes(request: Received) -> Scripted:
        assert request.headers["If-None-Match"] == '"1"'
        assert request.headers["A-IM"] == "heksherlite"
        changed = {
            "rule_ids": [9, 10],
            "context_features": ["user"],
            "context_values": [["joe", "jill"]],
            "values": [30, 4],
        }
        body = lines(FEATURES, begins(whole=False, removed=[8, 1000], default_value=0), changed, {"settings": 1})
        return Scripted(body, 226, CHANGES)

    scripted.script[QUERY] = changes
    client.reload()
    assert [value(cache_ttl, user) for user in ("john", "jane", "joe", "jill", "nobody")] == [1, 0, 30, 4, 0]
    assert sorted(outcome.rule.rule_id for outcome in cache_ttl.explain(**dict.fromkeys(NAMES, "x")).rules) == [
        7,
        9,
        10,
    ]


def test_a_changed_rule_with_a_bad_value_keeps_its_last_good_one(
    connect: Connect, scripted: ScriptedService, cache_ttl: Setting[int], log: Log
) -> None:
    """A rule whose new value is rejected keeps its old value, and a warning and the explanation say so."""
    scripted.script[QUERY] = Scripted(lines(FEATURES, begins(), RULE, {"settings": 1}), headers=LINES)
    client = connect(scripted.url)
    body = lines(FEATURES, begins(whole=False), RULE | {"values": ["no number"]}, {"settings": 1})
    scripted.script[QUERY] = Scripted(body, 226, CHANGES)
    client.reload()
    assert value(cache_ttl, "john") == 1
    assert list(log.one("setting update rejected rules")["rejected_rules"]) == [7]
    assert "last good value" in str(cache_ttl.explain(environment="dev", user="john", theme="dark"))


BAD_BODIES: dict[str, Sequence[object]] = {
    "nothing": [],
    "no end": [FEATURES, begins(), RULE],
    "a wrong end": [FEATURES, begins(), RULE, {"settings": 2}],
    "more after the end": [FEATURES, begins(), RULE, {"settings": 1}, {"settings": 1}],
    "rules of no setting": [FEATURES, RULE, {"settings": 0}],
    "something else": [FEATURES, begins(), {"rules": []}, {"settings": 1}],
    "a list": [FEATURES, begins(), [], {"settings": 1}],
    "a changed setting in a whole response": [FEATURES, begins(whole=False), {"settings": 1}],
    "no default": [FEATURES, {"setting": "cache_ttl", "whole": True}, {"settings": 1}],
    "fewer values": [FEATURES, begins(), RULE | {"values": []}, {"settings": 1}],
    "fewer conditions": [FEATURES, begins(), RULE | {"context_values": [[]]}, {"settings": 1}],
    "fewer columns": [FEATURES, begins(), RULE | {"context_values": []}, {"settings": 1}],
    "a feature twice": [
        FEATURES,
        begins(),
        RULE | {"context_features": ["user", "user"], "context_values": [["a"], ["b"]]},
        {"settings": 1},
    ],
    "a condition on a number": [FEATURES, begins(), RULE | {"context_values": [[1]]}, {"settings": 1}],
    "an id that is a boolean": [FEATURES, begins(), RULE | {"rule_ids": [True]}, {"settings": 1}],
    "a huge id": [FEATURES, begins(), RULE | {"rule_ids": [2**63]}, {"settings": 1}],
    "a removed text": [FEATURES, begins(removed=["1"]), {"settings": 1}],
    "features that are numbers": [{"context_features": [1]}, begins(), {"settings": 1}],
}


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_malformed_body_changes_nothing(
    bad: Sequence[object], connect: Connect, scripted: ScriptedService, cache_ttl: Setting[int], log: Log
) -> None:
    """What is not as documented is refused as a whole, and the next good response counts again."""
    good = lines(FEATURES, begins(), RULE, {"settings": 1})
    scripted.script[QUERY] = Scripted(good, headers=LINES)
    client = connect(scripted.url)
    scripted.script[QUERY] = Scripted(lines(*bad), headers=LINES | {"ETag": '"bad"'})
    client.reload()
    assert "unusable response to GET /api/v1/query" in str(log.one("error during heksher update")["exc_info"][1])
    assert value(cache_ttl, "john") == 1

    def next_response(request: Received) -> Scripted:
        assert request.headers["If-None-Match"] == '"1"'
        return Scripted(lines(FEATURES, begins(default_value=61), {"settings": 1}), headers=LINES)

    scripted.script[QUERY] = next_response
    client.reload()
    assert value(cache_ttl, "john") == 61


@pytest.mark.parametrize("seed", range(3))
def test_a_long_history_of_partial_responses_is_like_one_whole_response(
    seed: int, connect: Connect, service: Api, cache_ttl: Setting[int]
) -> None:
    """A client that followed random changes one by one explains everything like the service's whole state."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible history
    client = connect(service.url)
    rule_ids: list[int] = []
    for _ in range(25):
        for _ in range(chance.randrange(5)):
            match chance.randrange(5):
                case 0 if rule_ids:
                    service.call("DELETE", f"rules/{rule_ids.pop(chance.randrange(len(rule_ids)))}")
                case 1 if rule_ids:
                    service.call("PUT", f"rules/{chance.choice(rule_ids)}/value", {"value": chance.randrange(100)})
                case 2 if chance.random() < 0.2:
                    service.call(
                        "PATCH", "context_features/user/index", {"to_after": chance.choice(["theme", "environment"])}
                    )
                case _:
                    features = chance.sample(NAMES, chance.randrange(1, 4))
                    conditions = {feature: chance.choice("abc") for feature in features}
                    body = {"setting": "cache_ttl", "feature_values": conditions, "value": chance.randrange(100)}
                    response = service.call("POST", "rules", body)
                    if response.status_code == 201:
                        rule_ids.append(response.json()["rule_id"])
        client.reload()
        weight = {feature: 2**index for index, feature in enumerate(service.features())}
        stored = service.query(settings="cache_ttl")["cache_ttl"]
        for context in ({f: chance.choice("abc") for f in NAMES} for _ in range(10)):
            matching = [r for r in stored["rules"] if all(context[f] == v for f, v in r["context_features"])]
            heaviest = max(matching, key=lambda r: sum(weight[f] for f, _ in r["context_features"]), default=None)
            explanation = cache_ttl.explain(**context)
            winner = explanation.winner
            assert (winner and winner.rule_id) == (heaviest and heaviest["rule_id"])
            assert cache_ttl.get(**context) == explanation.value == (heaviest["value"] if heaviest else 60)
        rules = cache_ttl.explain(environment="a", user="a", theme="a").rules
        assert {outcome.rule.rule_id for outcome in rules} == set(rule_ids)
