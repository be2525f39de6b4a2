"""Requests that clients in shell, PHP and YAML send, which the original service accepts."""

from typing import Any

import pytest

from tests.service.api import Api


@pytest.mark.parametrize(("sent", "stored"), [(12345, "12345"), (-1, "-1"), (1.5, "1.5"), ("007", "007")])
def test_numbers_as_values_of_context_features(api: Api, sent: Any, stored: str) -> None:
    """A number becomes its text."""
    api.declare()
    body = {"setting": "cache_ttl", "feature_values": {"user": sent}, "value": 1}
    response = api.call("POST", "rules", body)
    assert response.status_code == 201
    assert api.get(f"rules/{response.json()['rule_id']}").json()["feature_values"] == [["user", stored]]
    assert api.call("POST", "rules", {**body, "feature_values": {"user": stored}}).status_code == 409


@pytest.mark.parametrize("sent", [True, None, [], {}])
def test_other_values_of_context_features_are_malformed(api: Api, sent: Any) -> None:
    """Only strings and numbers are values of context features."""
    api.declare()
    body = {"setting": "cache_ttl", "feature_values": {"user": sent}, "value": 1}
    assert api.call("POST", "rules", body).status_code == 422


def test_numbers_as_versions(api: Api) -> None:
    """A version may be a number, in a declaration and in a change."""
    assert api.declare(version=1.0).json() == {"outcome": "created"}
    assert api.declare(version=1.1, default_value=61).json()["outcome"] == "upgraded"
    assert api.call("PUT", "settings/cache_ttl/name", {"name": "ttl", "version": 1.2}).status_code == 204
    assert api.setting("ttl")["version"] == "1.2"


@pytest.mark.parametrize("version", [True, 1, -1.5, [1.1]])
def test_other_versions_are_malformed(api: Api, version: Any) -> None:
    """A number that is not MAJOR.MINOR is refused."""
    assert api.declare(version=version).status_code == 422


def test_an_empty_list_is_no_metadata(api: Api) -> None:
    """PHP encodes an empty array as a list."""
    assert api.declare(metadata=[]).status_code == 200
    body = {"setting": "cache_ttl", "feature_values": {"user": "a"}, "value": 1, "metadata": []}
    rule_id = api.call("POST", "rules", body).json()["rule_id"]
    assert api.get(f"rules/{rule_id}").json()["metadata"] == {}
    assert api.call("PUT", f"rules/{rule_id}/metadata", {"metadata": []}).status_code == 204
    assert api.call("PUT", f"rules/{rule_id}/metadata", {"metadata": [1]}).status_code == 422


def test_absent_metadata(api: Api) -> None:
    """Without metadata, a merge changes nothing, and a replacement clears."""
    api.declare(metadata={"a": 1})
    assert api.call("POST", "settings/cache_ttl/metadata", {"version": "1.1"}).status_code == 204
    assert api.setting()["metadata"] == {"a": 1}
    assert api.call("PUT", "settings/cache_ttl/metadata", {"version": "1.2"}).status_code == 204
    assert api.setting()["metadata"] == {}


def test_both_places_of_a_context_feature(api: Api) -> None:
    """A move with both places is accepted; the place before another feature counts."""
    body = {"to_after": "environment", "to_before": "environment"}
    assert api.call("PATCH", "context_features/theme/index", body).status_code == 204
    assert api.features() == ["theme", "environment", "user"]
    assert api.call("PATCH", "context_features/theme/index", {}).status_code == 422
