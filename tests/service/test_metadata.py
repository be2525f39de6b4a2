from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.service.api import Api

Call = Callable[..., int]


class Owner:
    """A setting or a rule with metadata. Edits of a setting raise its version."""

    def __init__(self, api: Api, path: str, *, versioned: bool) -> None:
        self.api = api
        self.path = f"{path}/metadata"
        self.minor = 0
        self.versioned = versioned

    def edit(self, method: str, key: str = "", **body: Any) -> int:
        if self.versioned:
            self.minor += 1
            body["version"] = f"1.{self.minor}"
        response = self.api.call(method, f"{self.path}{key}", body or None)
        assert response.status_code != 204 or response.content == b""
        return response.status_code

    def metadata(self) -> Any:
        return self.api.get(self.path).json()["metadata"]


@pytest.fixture(params=["setting", "rule"])
def owner(request: pytest.FixtureRequest, api: Api) -> Iterator[Owner]:
    api.declare()
    if request.param == "setting":
        yield Owner(api, "settings/cache_ttl", versioned=True)
    else:
        yield Owner(api, f"rules/{api.add_rule(1, user='a')}", versioned=False)


def test_it_begins_empty(owner: Owner) -> None:
    """Metadata is initially an empty object."""
    assert owner.metadata() == {}


def test_post_merges(owner: Owner) -> None:
    """POST sets the given keys and keeps the others."""
    assert owner.edit("POST", metadata={"a": 1, "b": [1]}) == 204
    assert owner.edit("POST", metadata={"b": None, "c-d_9": {"x": 0.5}}) == 204
    assert owner.metadata() == {"a": 1, "b": None, "c-d_9": {"x": 0.5}}


def test_put_replaces(owner: Owner) -> None:
    """PUT replaces all keys, also by none."""
    owner.edit("POST", metadata={"a": 1})
    assert owner.edit("PUT", metadata={"b": 2}) == 204
    assert owner.metadata() == {"b": 2}
    assert owner.edit("PUT", metadata={}) == 204
    assert owner.metadata() == {}


def test_delete_clears(owner: Owner) -> None:
    """DELETE removes all keys."""
    owner.edit("POST", metadata={"a": 1})
    assert owner.edit("DELETE") == 204
    assert owner.metadata() == {}


def test_one_key_can_be_set_and_removed(owner: Owner) -> None:
    """A key can have any JSON value, null included. Removing a missing key is not an error."""
    assert owner.edit("PUT", "/a", value=None) == 204
    assert owner.edit("PUT", "/b", value={"x": [1, 2.5]}) == 204
    assert owner.metadata() == {"a": None, "b": {"x": [1, 2.5]}}
    assert owner.edit("DELETE", "/a") == 204
    assert owner.edit("DELETE", "/nope") == 204
    assert owner.metadata() == {"b": {"x": [1, 2.5]}}


@pytest.mark.parametrize(
    ("method", "key", "body"),
    [
        ("POST", "", {"metadata": None}),
        ("PUT", "", {"metadata": [1]}),
        ("POST", "", {"metadata": {"a b": 1}}),
        ("POST", "", {"metadata": {"a\n": 1}}),
        ("PUT", "", {"metadata": {"": 1}}),
        ("PUT", "/a", {}),
        ("PUT", "/a%20b", {"value": 1}),
        ("PUT", "/a%0A", {"value": 1}),
        ("DELETE", "/é", {}),
    ],
)
def test_malformed_edits_are_422(owner: Owner, method: str, key: str, body: dict[str, Any]) -> None:
    """Metadata must be an object whose keys match the pattern."""
    assert owner.edit("POST", metadata={"before": 1}) == 204
    assert owner.edit(method, key, **body) == 422
    assert owner.metadata() == {"before": 1}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_edits_without_a_json_object_are_422(owner: Owner, method: str) -> None:
    """An edit without a JSON object is 422, so that a wrong content type does not clear the metadata."""
    assert owner.edit("POST", metadata={"before": 1}) == 204
    url = f"/api/v1/{owner.path}"
    body = '{"metadata": {"a": 1}, "version": "1.9"}'
    for content, content_type in [
        ("", "application/json"),
        ("null", "application/json"),
        ("[]", "application/json"),
        (body, "text/plain"),
        (body, "application/x-www-form-urlencoded"),
    ]:
        response = owner.api.http.request(method, url, content=content, headers={"content-type": content_type})
        assert (response.status_code, response.json()["detail"][0]["type"]) == (422, "missing")
    assert owner.api.http.request(method, url).status_code == 422
    assert owner.metadata() == {"before": 1}


@pytest.mark.parametrize(
    ("method", "key", "body"),
    [
        ("POST", "", {"metadata": {"b": 1}}),
        ("PUT", "", {"metadata": {"b": 1}}),
        ("DELETE", "", {}),
        ("PUT", "/a", {"value": 2}),
        ("DELETE", "/a", {}),
    ],
)
def test_metadata_of_a_setting_needs_a_higher_version(api: Api, method: str, key: str, body: dict[str, Any]) -> None:
    """An edit requires a higher version. The same or a lower one is 409, and none is 422."""
    api.declare(metadata={"a": 1})
    path = f"settings/cache_ttl/metadata{key}"
    for version in ("1.0", "0.9", "1.00"):
        assert api.call(method, path, {**body, "version": version}).status_code == 409
    assert api.call(method, path, body or {}).status_code == 422
    assert api.setting()["metadata"] == {"a": 1}
    unknown = path.replace("cache_ttl", "nope")
    assert api.call(method, unknown, {**body, "version": "2.0"}).status_code == 404
    assert api.call(method, path, {**body, "version": "1.1"}).status_code == 204
    assert api.setting()["version"] == "1.1"
    assert api.setting()["metadata"] != {"a": 1}


def test_metadata_of_an_unknown_setting_is_404(api: Api) -> None:
    """The metadata of an unknown setting is 404."""
    assert api.get("settings/nope/metadata").status_code == 404
