from typing import Any

import pytest

from tests.service.api import Api

INVALID_RULES = [
    {"feature_values": {"user": "john"}, "value": 1},
    {"setting": "cache_ttl", "value": 1},
    {"setting": "cache_ttl", "feature_values": {"user": "john"}},
    {"setting": "cache_ttl", "feature_values": {}, "value": 1},
    {"setting": "cache_ttl", "feature_values": [["user", "john"]], "value": 1},
    {"setting": "cache_ttl", "feature_values": {"user": True}, "value": 1},
    {"setting": "cache_ttl", "feature_values": {"user": [1]}, "value": 1},
    {"setting": "cache_ttl", "feature_values": {"user": ""}, "value": 1},
    {"setting": "cache ttl", "feature_values": {"user": "john"}, "value": 1},
    {"setting": 5, "feature_values": {"user": "john"}, "value": 1},
    {"setting": "cache_ttl", "feature_values": {"us er": "john"}, "value": 1},
    {"setting": "cache_ttl", "feature_values": {"user": "john"}, "value": 1, "metadata": [1]},
    {"setting": "cache_ttl", "feature_values": {"user": "john"}, "value": 1, "metadata": {"a b": 1}},
    {"setting": "nope", "feature_values": {"user": "john"}, "value": 1},
]


def post(api: Api, **fields: Any) -> Any:
    body: dict[str, Any] = {"setting": "cache_ttl", "feature_values": {"user": "john"}, "value": 1}
    return api.call("POST", "rules", {**body, **fields})


def test_a_rule_is_created_and_read_back(api: Api) -> None:
    """A new rule is 201 with its id and location, and can be read."""
    api.declare()
    response = post(api, feature_values={"user": "john", "environment": "dev"}, value=10, metadata={"a": [None]})
    rule_id = response.json()["rule_id"]
    assert response.status_code == 201
    assert response.headers["location"] == f"/{rule_id}"
    assert api.get(f"rules/{rule_id}").json() == {
        "setting": "cache_ttl",
        "value": 10,
        "feature_values": [["environment", "dev"], ["user", "john"]],
        "metadata": {"a": [None]},
    }


def test_metadata_of_a_rule_defaults_to_nothing(api: Api) -> None:
    """A rule without metadata has empty metadata."""
    api.declare()
    assert api.get(f"rules/{api.add_rule(1, user='a')}").json()["metadata"] == {}


@pytest.mark.parametrize("body", INVALID_RULES)
def test_a_malformed_rule_is_422(declared_api: Api, body: dict[str, Any]) -> None:
    """A malformed rule and one without value or conditions are 422, and nothing changes."""
    before = declared_api.state()
    response = declared_api.call("POST", "rules", body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["msg"]
    assert declared_api.state() == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"feature_values": {"theme": "dark"}}, "theme"),
        ({"feature_values": {"user": "john", "nope": "x"}}, "nope"),
        ({"value": 5.5}, "5.5"),
        ({"value": True}, "True"),
        ({"value": None}, "None"),
    ],
)
def test_a_rule_that_does_not_fit_its_setting_is_400(api: Api, fields: dict[str, Any], message: str) -> None:
    """A feature that the setting lacks, or an unsuitable value, is 400 with its name."""
    api.declare()
    response = post(api, **fields)
    assert response.status_code == 400
    assert message in response.text
    assert api.rule_ids() == []


def test_equal_conditions_are_409(api: Api) -> None:
    """Two rules of a setting cannot have the same conditions, in any order."""
    api.declare()
    api.declare("other")
    api.add_rule(1, user="john", environment="dev")
    response = post(api, feature_values={"environment": "dev", "user": "john"}, value=2)
    assert (response.status_code, "same conditions" in response.text) == (409, True)
    api.add_rule(1, user="john")
    api.add_rule(1, setting="other", user="john", environment="dev")


def test_ids_are_never_reused(api: Api) -> None:
    """The id of a deleted rule is not used again, also if its setting was deleted."""
    api.declare()
    first = api.add_rule(1, user="a")
    api.call("DELETE", f"rules/{first}")
    second = api.add_rule(1, user="a")
    api.call("DELETE", "settings/cache_ttl")
    api.declare()
    assert first < second < api.add_rule(1, user="a")


def test_unknown_rules_are_404(api: Api) -> None:
    """Each request for an unknown id is 404."""
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("PATCH", "", {"value": 1}),
        ("PUT", "/value", {"value": 1}),
        ("GET", "/metadata", None),
        ("POST", "/metadata", {"metadata": {}}),
        ("PUT", "/metadata", {"metadata": {}}),
        ("DELETE", "/metadata", None),
        ("PUT", "/metadata/a", {"value": 1}),
        ("DELETE", "/metadata/a", None),
    ]
    for method, path, body in calls:
        for rule_id in (0, 10**9, 10**30, -1):
            response = api.call(method, f"rules/{rule_id}{path}", body)
            assert response.status_code == 404, (method, path)


def test_an_id_that_is_no_number_is_422(api: Api) -> None:
    """An id that is not a whole number is 422."""
    assert api.get("rules/one").status_code == 422
    assert api.get("rules/" + "1" * 5000).status_code == 422


@pytest.mark.parametrize(("method", "path"), [("PUT", "/value"), ("PATCH", "")])
def test_a_value_can_be_changed(api: Api, method: str, path: str) -> None:
    """Both routes replace the value. An unsuitable value is 400, and a missing one 422."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    response = api.call(method, f"rules/{rule_id}{path}", {"value": 0})
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(f"rules/{rule_id}").json()["value"] == 0
    assert api.call(method, f"rules/{rule_id}{path}", {"value": "x"}).status_code == 400
    assert api.call(method, f"rules/{rule_id}{path}", {}).status_code == 422
    assert api.get(f"rules/{rule_id}").json()["value"] == 0


def test_a_rule_can_be_deleted(api: Api) -> None:
    """A deleted rule does not exist any more, and its conditions can be used again."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    response = api.call("DELETE", f"rules/{rule_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(f"rules/{rule_id}").status_code == 404
    assert api.call("DELETE", f"rules/{rule_id}").status_code == 404
    assert api.rule_ids() == []
    api.add_rule(1, user="a")


def test_search_finds_exactly_the_conditions(api: Api) -> None:
    """A rule is found by all of its conditions, and not by some of them."""
    api.declare()
    rule_id = api.add_rule(1, user="john", environment="dev")
    search = "rules/search"
    both = "user:john,environment:dev"
    assert api.get(search, setting="cache_ttl", feature_values=both).json() == {"rule_id": rule_id}
    for setting, feature_values in [
        ("cache_ttl", "user:john"),
        ("cache_ttl", "environment:dev,user:jane"),
        ("cache_ttl", "environment:dev,user:john,theme:dark"),
        ("nope", both),
    ]:
        response = api.get(search, setting=setting, feature_values=feature_values)
        assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"setting": "cache_ttl"},
        {"feature_values": "user:john"},
        {"setting": "cache_ttl", "feature_values": ""},
        {"setting": "cache_ttl", "feature_values": "user"},
        {"setting": "cache_ttl", "feature_values": "user:"},
        {"setting": "cache_ttl", "feature_values": "user:a,"},
        {"setting": "cache_ttl", "feature_values": "user:a,user:b"},
        {"setting": "cache_ttl", "feature_values": "user:a b"},
        {"setting": "cache ttl", "feature_values": "user:a"},
    ],
)
def test_a_malformed_search_is_422(api: Api, params: dict[str, str]) -> None:
    """A search requires a setting and well-formed conditions, with each feature once."""
    api.declare()
    assert api.get("rules/search", **params).status_code == 422


@pytest.mark.parametrize(
    "value",
    [
        "john@example.com",
        "9f1c2b3a-0000-4000-8000-000000000000",
        "host-1.example.org",
        "/srv/data/~x",
        "a+b=c",
        "ירושלים",
        "٣",
        "_",
    ],
)
def test_values_of_context_features_may_be_wide(api: Api, value: str) -> None:
    """E-mail addresses, UUIDs, host names, paths and any script are accepted in rules, searches and filters."""
    api.declare()
    rule_id = api.add_rule(1, user=value)
    api.add_rule(2, user="other")
    assert api.get(f"rules/{rule_id}").json()["feature_values"] == [["user", value]]
    assert api.get("rules/search", setting="cache_ttl", feature_values=f"user:{value}").json() == {"rule_id": rule_id}
    assert api.rule_ids(context_filters=f"user:(x,{value})") == [rule_id]


@pytest.mark.parametrize("value", ["a b", "a,b", "a:b", "(a", "a)", "*", "'", '"', "a\n", "\x00", "", "\u2003"])
def test_values_that_would_break_the_syntax_are_422(api: Api, value: str) -> None:
    """Whitespace, quotes, commas, colons, parentheses and stars are refused."""
    api.declare()
    assert post(api, feature_values={"user": value}).status_code == 422


@pytest.mark.parametrize("type_and_value", [("int", 5.0), ("float", 5), ("float", 1e300), ("int", 2**64 - 1)])
def test_numbers_come_back_as_they_were_sent(api: Api, type_and_value: tuple[str, Any]) -> None:
    """A whole-number float stays a float, and no digit is lost."""
    type_, value = type_and_value
    api.declare(type=type_)
    rule_id = api.add_rule(value, user="a")
    assert repr(api.get(f"rules/{rule_id}").json()["value"]) == repr(value)
    assert repr(api.query()["cache_ttl"]["rules"][0]["value"]) == repr(value)
