"""Errors have one shape for clients that ask for JSON (RFC 9457), and the texts of the v1 API for all others."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from tests.service.api import Api
from tests.service.tokens import WITH_TOKENS

ERRORS: dict[str, tuple[int, str, str, Any]] = {
    "an unknown setting": (404, "GET", "settings/nothing", None),
    "an unknown setting in a query": (404, "GET", "query?settings=nothing", None),
    "an empty 404": (404, "GET", "context_features/nothing", None),
    "an unknown path": (404, "GET", "nothing", None),
    "a wrong method": (405, "PUT", "query", None),
    "a repeated filter": (400, "GET", "query?context_filters=user:*,user:*", None),
    "a malformed filter": (422, "GET", "query?context_filters=(", None),
    "a malformed body": (422, "POST", "rules", {}),
    "an existing feature": (409, "POST", "context_features", {"context_feature": "user"}),
    "a mismatch": (
        409,
        "POST",
        "settings/declare",
        {"name": "cache_ttl", "type": "str", "default_value": "", "configurable_features": ["user"]},
    ),
    "a conflict": (409, "PUT", "settings/cache_ttl/type", {"type": "str", "version": "1.1"}),
}


@pytest.mark.parametrize(("expected", "method", "path", "body"), ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "text/html, application/problem+json"]
)
def test_errors_are_problem_details(
    declared_api: Api, expected: int, method: str, path: str, body: Any, accept: str
) -> None:
    """A client that asks for JSON receives type, title, status and detail with every error."""
    response = declared_api.call(method, path, body, headers={"accept": accept})
    assert response.status_code == expected
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == ("about:blank", expected)
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    assert problem["detail"]


@pytest.mark.parametrize(("expected", "method", "path", "body"), ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson, application/json;q=0.9", "text/plain", ""])
def test_other_clients_receive_the_texts_of_the_api(
    declared_api: Api, expected: int, method: str, path: str, body: Any, accept: str
) -> None:
    """A client that does not ask for JSON receives what the v1 API prescribes."""
    response = declared_api.call(method, path, body, headers={"accept": accept})
    assert response.status_code == expected
    assert response.headers.get("content-type") != "application/problem+json"


def test_members_of_the_v1_api_are_kept(api: Api) -> None:
    """Problem details contain the members that the v1 API defines, and the list of validation errors."""
    api.declare()
    json = {"accept": "application/json"}
    mismatch = api.declare(default_value=61).json()
    declared = {
        "name": "cache_ttl",
        "type": "int",
        "default_value": 61,
        "configurable_features": ["environment", "user"],
    }
    problem = api.call("POST", "settings/declare", declared, headers=json).json()
    assert {name: problem[name] for name in mismatch} == mismatch
    conflicts = api.call("PUT", "settings/cache_ttl/type", {"type": "str", "version": "1.1"}).json()
    problem = api.call("PUT", "settings/cache_ttl/type", {"type": "str", "version": "1.1"}, headers=json).json()
    assert problem["conflicts"] == conflicts["conflicts"]
    errors = api.call("POST", "rules", {}, headers=json).json()["errors"]
    assert {tuple(error["loc"]) for error in errors} >= {("body", "setting"), ("body", "value")}


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with embedded(access=WITH_TOKENS) as service:
        yield service.url


def test_denied_requests_are_problem_details(guarded: str) -> None:
    """A denied request has the required scope as a member."""
    response = httpx.get(f"{guarded}/api/v1/settings", headers={"accept": "application/json"})
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"]
    assert response.json()["needed_scope"] == "read"
