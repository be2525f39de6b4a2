"""HEAD and OPTIONS on every route, and paths with a slash too many or too few."""

import httpx
import pytest

from tests.service.api import Api
from tests.service.routes import Call, all_calls

CALLS = all_calls()
READS = [call for call in CALLS if call.method == "GET"]


def path_of(call: Call) -> str:
    return call.example_path("cache_ttl")


@pytest.mark.parametrize("call", READS, ids=lambda call: call.path)
def test_head_returns_the_headers_of_get(declared_api: Api, call: Call) -> None:
    """HEAD has the status and headers of GET, and no body."""
    head = declared_api.http.head(path_of(call))
    with declared_api.http.stream("GET", path_of(call)) as get:
        assert head.status_code == get.status_code
        assert head.headers.get("content-type") == get.headers.get("content-type")
        assert head.headers.get("etag") == get.headers.get("etag")
    assert head.content == b""


def test_a_conditional_head_is_not_modified(api: Api) -> None:
    """HEAD evaluates If-None-Match."""
    tag = api.http.head("/api/v1/query").headers["etag"]
    assert api.http.head("/api/v1/query", headers={"if-none-match": tag}).status_code == 304


@pytest.mark.parametrize("path", sorted({path_of(call) for call in CALLS}))
def test_options_returns_the_methods_of_a_path(shared_api: Api, path: str) -> None:
    """OPTIONS and 405 name all methods of a path, and permit nothing to other sites."""
    methods = {call.method for call in CALLS if path_of(call) == path}
    options = shared_api.http.options(path)
    assert (options.status_code, options.content) == (204, b"")
    allowed = set(options.headers["allow"].split(", "))
    # A path may also match a route with a parameter, such as the id of a rule.
    assert allowed >= methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert allowed <= {call.method for call in CALLS} | {"OPTIONS", "HEAD"}
    assert not [name for name in options.headers if name.startswith("access-control")]
    refused = shared_api.http.request("TRACE", path)
    assert refused.status_code == 405
    assert sorted(refused.headers["allow"].split(", ")) == sorted(allowed)


@pytest.mark.parametrize("path", ["/api/v1/query/", "/api/v1/rules/", "/api/health/", "/docs/", "/nothing/"])
def test_a_wrong_slash_is_not_found(api: Api, path: str) -> None:
    """A path with a slash too many is not redirected, because the redirect could lead to another host or scheme."""
    assert api.http.get(path).status_code == 404


@pytest.mark.parametrize("path", ["claim", "retrieve", "redeem", "start", "challenge"])
def test_grants_accept_paths_with_and_without_a_slash(api: Api, path: str) -> None:
    """Clients of grants that omit the slash at the end receive the same response."""
    with_slash, without = api.http.post(f"/f/{path}/", content=b"{}"), api.http.post(f"/f/{path}", content=b"{}")
    assert with_slash.status_code == without.status_code == 422
    assert with_slash.content == without.content


def test_the_page_of_a_code_is_shown_without_a_slash(api: Api) -> None:
    """A person who types the URL of a code without the slash sees the page."""
    response = httpx.get(f"{api.url}/f/configure?grant=device_code&device_code=x", follow_redirects=False)
    assert response.status_code == 404
    assert "text/html" in response.headers["content-type"]
    assert 'href="device' in response.text or 'action="device' in response.text
