"""Limits of requests and stored data, and the headers of every response."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import httpx
import pytest

from heksherlite.service import AccessOptions, Limits, embedded
from heksherlite.service.api.security_headers import SECURITY_HEADERS
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.store import Store
from tests.service.api import FEATURES, Api
from tests.service.tokens import WITH_TOKENS, make_token
from tests.waiting import until


@contextmanager
def service(*, path: Path | None = None, access: AccessOptions = AccessOptions(), **limits: Any) -> Iterator[Api]:  # noqa: B008
    with embedded(path, context_features=FEATURES, access=access, limits=Limits(**limits)) as running:
        api = Api(running.url, token=running.first_token)
        with api.http:
            yield api


def test_the_number_of_settings_is_limited() -> None:
    """A setting over the limit is 409. Existing ones can change, and a deletion makes room."""
    with service(max_settings=2) as api:
        assert [api.declare(name).status_code for name in "abc"] == [200, 200, 409]
        assert api.declare("c").json()["detail"] == "there are 2 settings; the maximum is 2"
        assert api.declare("a", default_value=1, version="1.1").json()["outcome"] == "upgraded"
        assert api.call("DELETE", "settings/b").status_code == 204
        assert api.declare("c").status_code == 200


def test_the_number_of_rules_is_limited() -> None:
    """A rule over the limit is 409 for every setting. Existing ones can change."""
    with service(max_rules=2) as api:
        api.declare("a")
        api.declare("b")
        first = api.add_rule(1, "a", user="x")
        api.add_rule(1, "b", user="x")
        more = {"setting": "b", "feature_values": {"user": "y"}, "value": 1}
        response = api.call("POST", "rules", more)
        assert (response.status_code, response.text) == (409, "there are 2 rules; the maximum is 2")
        assert api.call("PUT", f"rules/{first}/value", {"value": 2}).status_code == 204
        assert api.call("DELETE", f"rules/{first}").status_code == 204
        assert api.call("POST", "rules", more).status_code == 201


LONG = "x" * 99


@pytest.mark.parametrize(
    ("method", "path", "body", "what"),
    [
        ("POST", "settings/declare", {"name": "b", "default_value": LONG}, "default value"),
        ("POST", "settings/declare", {"name": "a", "default_value": LONG, "version": "1.1"}, "default value"),
        ("POST", "settings/declare", {"name": "b", "metadata": {"k": LONG}}, "metadata"),
        ("POST", "settings/declare", {"name": LONG}, "name"),
        ("POST", "settings/declare", {"name": "b", "type": f'Enum["","{LONG}"]'}, "type"),
        ("PUT", "settings/a/name", {"name": LONG, "version": "1.1"}, "name"),
        ("PUT", "settings/a/metadata/k", {"value": LONG, "version": "1.1"}, "metadata"),
        ("POST", "rules", {"setting": "a", "feature_values": {"theme": "y"}, "value": LONG}, "value"),
        ("POST", "rules", {"setting": "a", "feature_values": {"theme": LONG}, "value": ""}, "conditions"),
        ("PUT", "rules/{rule_id}/value", {"value": LONG}, "value"),
        ("POST", "rules/{rule_id}/metadata", {"metadata": {"k": LONG}}, "metadata"),
    ],
)
def test_the_size_of_values_is_limited(method: str, path: str, body: dict[str, Any], what: str) -> None:
    """A value over the limit is 413 in every route, and changes nothing. A value of exactly the limit is accepted."""
    declaration = {"type": "str", "default_value": "", "configurable_features": FEATURES}
    with service(max_value_size=100) as api:
        assert api.declare("a", **declaration).status_code == 200
        rule_id = api.add_rule("x" * 98, "a", user="x")
        before = api.state()
        full = {**declaration, **body} if path == "settings/declare" else body
        response = api.call(method, path.format(rule_id=rule_id), full)
        assert response.status_code == 413, response.text
        assert response.text.startswith(f"the {what} has ")
        assert response.text.endswith("; the maximum is 100")
        assert api.state() == before


def test_stored_values_over_a_lowered_limit(tmp_path: Path) -> None:
    """A stored value over a lowered limit is served, and its other attributes can change."""
    path = tmp_path / "a.db"
    with service(path=path) as api:
        api.declare("a", type="str", default_value="x" * 1000)
        rule_id = api.add_rule("y" * 1000, "a", user="x")
    with service(path=path, max_value_size=100, max_rules=1, max_settings=1) as api:
        assert api.call("PUT", "settings/a/name", {"name": "b", "version": "1.1"}).status_code == 204
        assert api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": 1}).status_code == 204
        assert api.query()["b"]["default_value"] == "x" * 1000
        assert api.call("PUT", f"rules/{rule_id}/value", {"value": "z" * 500}).status_code == 413


def test_the_size_of_bodies_can_be_chosen() -> None:
    """A body over the configured limit is 413."""
    with service(max_body_size=200) as api:
        assert api.declare("a").status_code == 200
        response = api.declare("a" * 200)
        assert (response.status_code, response.text) == (413, "the body is larger than 200 bytes")


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_are_positive(name: str, value: float) -> None:
    """A limit of zero or less is an error."""
    arguments: Any = {name: value}
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        Limits(**arguments)


def test_a_body_has_to_arrive() -> None:
    """A client that does not complete its body gets an error and is disconnected."""
    with service(request_timeout=0.2) as api:
        with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
            connection.sendall(b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
            response = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert response.startswith(b"HTTP/1.1 408")
        assert response.endswith(b"the body did not arrive within 0.2 s")


def test_a_response_takes_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that takes too long is 503, and the next one is served."""

    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    with service(request_timeout=0.2) as api:
        with monkeypatch.context() as patched:
            patched.setattr(Store, "write", never)
            response = api.declare()
        assert response.status_code == 503
        assert response.text == "the request took longer than 0.2 s; it may still take effect"
        assert response.headers["retry-after"] == "5"
        assert api.get("settings").status_code == 200


def test_a_time_out_of_something_else_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the time limit of requests is 503. Any other TimeoutError is 500."""

    async def fail(*_: object) -> None:
        raise TimeoutError

    with service() as api, monkeypatch.context() as patched:
        patched.setattr(Store, "write", fail)
        assert api.declare().status_code == 500


def test_the_rate_of_writes_is_limited(tmp_path: Path) -> None:
    """A client over the rate gets Retry-After. Its reads and other clients are not affected."""
    reader = make_token(tmp_path / "a.db", "a", Scope.READ, Scope.DECLARE)
    other = make_token(tmp_path / "a.db", "b", Scope.DECLARE)
    with embedded(
        tmp_path / "a.db", context_features=FEATURES, access=WITH_TOKENS, limits=Limits(writes_per_second=0.01)
    ) as running:
        api, second = Api(running.url, token=reader), Api(running.url, token=other)
        with api.http, second.http:
            assert api.declare().status_code == 200
            response = api.declare()
            assert response.status_code == 429
            assert response.json() == {"detail": "too many writes; reduce the rate"}
            assert 90 <= int(response.headers["retry-after"]) <= 100
            assert api.get("query").status_code == 200
            assert second.declare().json() == {"outcome": "uptodate"}


def test_without_tokens_addresses_have_the_rate() -> None:
    """Without tokens, the rate applies to addresses."""
    with service(writes_per_second=0.01) as api:
        assert [api.declare().status_code, api.declare().status_code] == [200, 429]


def test_wrong_tokens_are_slowed_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After ten invalid tokens, an address gets 429 without further records. Valid tokens from it still work."""
    with service(path=tmp_path / "a.db", access=WITH_TOKENS) as api:
        url = api.url + "/api/v1/query"
        responses = [httpx.get(url, headers={"Authorization": "Bearer wrong"}) for _ in range(30)]
        statuses = [response.status_code for response in responses]
        assert statuses[:10] == [401] * 10
        assert statuses.count(429) >= 15  # one more is let through every six seconds
        slowed = next(response for response in responses if response.status_code == 429)
        assert 1 <= int(slowed.headers["retry-after"]) <= 6
        assert slowed.json()["needed_scope"] == "read"
        (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert warning == "a token was refused: malformed token; expected hkl_...; the client is 127.0.0.1"
        assert api.get("query").status_code == 200
        assert httpx.get(url).status_code == 401


def test_requests_without_token_are_no_attempts(tmp_path: Path) -> None:
    """Requests without a token always get 401."""
    with service(path=tmp_path / "a.db", access=WITH_TOKENS) as api:
        statuses = {httpx.get(api.url + "/api/v1/query").status_code for _ in range(30)}
        assert statuses == {401}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/health", 200),
        ("/api/v1/settings", 200),
        ("/api/v1/nothing", 404),
        ("/api/v1/settings/nothing", 404),
        ("/api/v1/rules/x", 422),
        ("/openapi.json", 200),
    ],
)
def test_every_response_has_security_headers(api: Api, path: str, status: int) -> None:
    """Every response has the security headers, and none that names the server."""
    response = api.http.get(path)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert "server" not in response.headers


def test_304_has_the_header_for_caches(api: Api) -> None:
    """A 304 says again whether caches may keep the response. Its other headers are those of the response."""
    response = api.call("GET", "query", headers={"If-None-Match": "*"})
    assert response.status_code == 304
    assert response.headers["cache-control"] == "no-cache"
    assert "x-frame-options" not in response.headers


def test_faults_have_security_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Internal errors have the security headers too."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    with service() as api, monkeypatch.context() as patched:
        patched.setattr(Store, "write", fail)
        response = api.call("POST", "context_features", {"context_feature": "a"})
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)


def test_documentation_loads_nothing_from_elsewhere(api: Api) -> None:
    """The documentation pages load the scripts of the service, by URLs below their own, and allow no others."""
    for path in ("/docs",):
        response = api.http.get(path)
        policy = response.headers["content-security-policy"]
        assert response.headers["content-type"].startswith("text/html")
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "//" not in response.text
        loaded = re.findall(r'(?:src|href|spec-url)="([^"]+)"', response.text)
        assert loaded
        for url in loaded:
            assert url.startswith("docs/")
            assert api.http.get(f"/{url}").status_code == 200
    assert 'url: "docs/openapi.json"' in api.http.get("/docs/start.js").text
    assert api.http.get("/docs/other.js").status_code == 404


def test_a_slow_client_holds_up_nobody() -> None:
    """Requests whose bodies do not arrive do not delay others."""
    stop = Event()

    def dawdle(api: Api) -> None:
        with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
            connection.sendall(b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
            assert stop.wait(30)

    with service() as api, ThreadPoolExecutor(20) as pool:
        slow = [pool.submit(dawdle, api) for _ in range(20)]
        until(lambda: api.declare().status_code == 200)
        stop.set()
        for client in slow:
            client.result()
