import logging
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.service.domain.entities import Conditions
from heksherlite.service.domain.filters import parse_context_filter
from tests.service.api import Api


def test_the_response_has_the_published_shape(api: Api) -> None:
    """Rules are ordered by id, conditions by the global order, and metadata is only sent on request."""
    api.declare()
    first = api.add_rule(10, user="john", environment="dev")
    second = api.add_rule(20, user="john")
    api.call("POST", f"rules/{second}/metadata", {"metadata": {"why": "test"}})
    rules: list[dict[str, Any]] = [
        {"rule_id": first, "value": 10, "context_features": [["environment", "dev"], ["user", "john"]]},
        {"rule_id": second, "value": 20, "context_features": [["user", "john"]]},
    ]
    assert api.get("query").json() == {"settings": {"cache_ttl": {"default_value": 60, "rules": rules}}}
    rules[0]["metadata"] = {}
    rules[1]["metadata"] = {"why": "test"}
    assert api.query(include_metadata=True)["cache_ttl"]["rules"] == rules
    assert api.get("query", include_metadata="perhaps").status_code == 422


def test_settings_are_selected_by_name(api: Api) -> None:
    """Without names all settings are returned, with an empty list none. Settings without rules are included."""
    for name in ("a", "b", "c"):
        api.declare(name)
    assert list(api.query()) == ["a", "b", "c"]
    assert api.query(settings="") == {}
    assert sorted(api.query(settings="c,a,c")) == ["a", "c"]
    assert api.query(settings="a")["a"] == {"default_value": 60, "rules": []}


def test_unknown_settings_are_404_and_malformed_names_422(api: Api) -> None:
    """An unknown name is 404, and the message contains it."""
    api.declare("a")
    response = api.get("query", settings="a,nope")
    assert (response.status_code, "nope" in response.text) == (404, True)
    for names in ("a,", ",", "a b", "a\n", "a,,a"):
        assert api.get("query", settings=names).status_code == 422


def test_an_alias_is_resolved_to_the_canonical_name(api: Api) -> None:
    """A setting that is queried by several of its names is returned once."""
    api.declare("old")
    api.declare("new", alias="old", version="1.1")
    assert list(api.query(settings="old,new")) == ["new"]


@pytest.fixture
def ids(api: Api) -> dict[str, int]:
    """Return the ids of rules whose name describes their conditions."""
    api.call("POST", "context_features", {"context_feature": "User_2"})
    api.declare(configurable_features=["environment", "user", "theme", "User_2"])
    return {
        "e=dev": api.add_rule(1, environment="dev"),
        "e=prod": api.add_rule(1, environment="prod"),
        "e=dev,u=john": api.add_rule(1, environment="dev", user="john"),
        "u=john": api.add_rule(1, user="john"),
        "U2=x": api.add_rule(1, User_2="x"),
    }


FILTERED: dict[str | None, list[str]] = {
    None: ["e=dev", "e=prod", "e=dev,u=john", "u=john", "U2=x"],
    "*": ["e=dev", "e=prod", "e=dev,u=john", "u=john", "U2=x"],
    "": [],
    "environment:*": ["e=dev", "e=prod"],
    "environment:(dev)": ["e=dev"],
    "environment:(dev,prod,test)": ["e=dev", "e=prod"],
    "environment:*,user:(john)": ["e=dev", "e=prod", "e=dev,u=john", "u=john"],
    "environment:(prod),user:(john)": ["e=prod", "u=john"],
    "user:(jane)": [],
    "User_2:(x)": ["U2=x"],
    "User_2:*,unknown_9:*": ["U2=x"],
    "unknown_9:(a)": [],
    "user_2:*": [],
}
"""The rules that pass each filter, by their names."""


def test_context_filters(api: Api, ids: dict[str, int]) -> None:
    """A rule passes if each of its conditions is on a listed feature with an allowed value."""
    names = {rule_id: name for name, rule_id in ids.items()}
    passed = {
        filters: [
            names[rule_id] for rule_id in api.rule_ids(**({} if filters is None else {"context_filters": filters}))
        ]
        for filters in FILTERED
    }
    assert passed == FILTERED


def test_an_unknown_feature_in_a_filter_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown feature is logged once, because a polling client repeats it."""
    caplog.set_level(logging.INFO, "heksherlite.service.api.query")
    unknown = f"unknown_{uuid4().hex}"
    for _ in range(2):
        assert api.query(context_filters=f"user:*,{unknown}:*") == {}
    assert [record.__dict__["features"] for record in caplog.records] == [[unknown]]


@pytest.mark.parametrize("filters", ["user:*,user:(a)", "user:(a),user:(b)", "x:*,x:*"])
def test_a_feature_listed_twice_is_400(api: Api, filters: str) -> None:
    """Two filters for one feature are refused."""
    assert api.get("query", context_filters=filters).status_code == 400


@pytest.mark.parametrize(
    "filters",
    [
        "user",
        "user:",
        "user:()",
        "user:(a",
        "user:a",
        "user:(a,)",
        "user:(a b)",
        "user:*,",
        ",",
        " user:*",
        "user:*user:*",
        "user:**",
        "*,user:*",
        "us er:*",
        "user:(a))",
        "user:(a)\n",
        "user:(a),,environment:*",
    ],
)
def test_malformed_filters_are_422(api: Api, filters: str) -> None:
    """A malformed filter is refused with the position."""
    response = api.get("query", context_filters=filters)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", "context_filters"]


FEATURES = st.sampled_from(["a", "B_1", "_", "0"])
VALUES = st.sampled_from(["x", "y@z.w", "ü-/~", "1"])
FILTERS = st.dictionaries(FEATURES, st.none() | st.frozensets(VALUES, min_size=1))
CONDITIONS = st.dictionaries(FEATURES, VALUES, min_size=1).map(lambda values: tuple(sorted(values.items())))


@given(FILTERS, CONDITIONS)
def test_filters_mean_what_they_say(allowed: dict[str, frozenset[str] | None], conditions: Conditions) -> None:
    """Parsing and applying any filter agrees with the definition."""
    text = ",".join(
        f"{feature}:*" if values is None else f"{feature}:({','.join(sorted(values))})"
        for feature, values in allowed.items()
    )
    parsed = parse_context_filter(text)
    assert parsed is not None
    assert parsed.allowed == allowed
    assert parsed.passes(conditions) == all(
        feature in allowed and (allowed[feature] is None or value in (allowed[feature] or ()))
        for feature, value in conditions
    )


def test_rules_stay_ordered_by_id_after_changes(api: Api) -> None:
    """Changing a rule does not change its position."""
    api.declare()
    ids = [api.add_rule(i, user=str(i)) for i in range(4)]
    api.call("PUT", f"rules/{ids[1]}/value", {"value": 100})
    api.call("DELETE", f"rules/{ids[2]}")
    assert api.rule_ids() == [ids[0], ids[1], ids[3]]


def test_values_of_any_script(api: Api) -> None:
    """A value with combining marks can be stored, filtered and searched."""
    api.declare()
    rule_id = api.add_rule(1, user="हिन्दी")
    assert api.rule_ids(context_filters="user:(हिन्दी)") == [rule_id]
    assert api.get("rules/search", setting="cache_ttl", feature_values="user:हिन्दी").json() == {"rule_id": rule_id}


def test_an_odd_query_is_logged_once(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A client that repeats unknown context features does not fill the log."""
    caplog.set_level("INFO", "heksherlite.service.api.query")
    context_filter = f"planet_{uuid4().hex}:(earth)"
    for _ in range(5):
        assert api.get("query", context_filters=context_filter).status_code == 200
    assert len([message for message in caplog.messages if "unknown context features" in message]) == 1
