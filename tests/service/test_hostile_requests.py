"""Malformed and malicious requests get a clear 4xx, and change nothing."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.api.bodies import decode_json
from heksherlite.service.domain.limits import Limits
from heksherlite.service.storage.store import Store
from tests.service.api import Api

MAX_BODY_BYTES = Limits().max_body_size
RULE = b'{"setting":"cache_ttl","feature_values":{"user":"a"},"value":%s}'
HOSTILE_BODIES = {
    "empty": b"",
    "not JSON": b"nonsense",
    "cut off": b'{"setting":',
    "trailing": RULE % b"1" + b"x",
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "invalid UTF-8": RULE % b'"\xff"',
    "UTF-16": (RULE % b"1").decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + RULE % b"1",
    "a raw NUL byte": RULE % b'"a\x00"',
    "NaN": RULE % b"NaN",
    "Infinity": RULE % b"Infinity",
    "minus Infinity": RULE % b"-Infinity",
    "1e400": RULE % b"1e400",
    "10**400": RULE % (b"1" + b"0" * 400),
    "10**5000": RULE % (b"1" + b"0" * 5000),
    "2**64": RULE % str(2**64).encode(),
    "-2**63-1": RULE % str(-(2**63) - 1).encode(),
    "a lone surrogate": RULE % b'"\\ud800"',
    "a lone surrogate as key": RULE % b'{"\\udfff":1}',
    "lists in lists": RULE % (b"[" * 10_000 + b"]" * 10_000),
    "objects in objects": RULE % (b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "lists without end": b"[" * 100_000,
    "deeper than is kept": RULE % (b"[" * 300 + b"]" * 300),
}
METHODS = [("POST", "rules"), ("POST", "settings/declare"), ("DELETE", "settings/cache_ttl/metadata")]


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_hostile_bodies_are_422(api: Api, method: str, path: str) -> None:
    """A body that is not JSON for every parser is 422 with a reason, and changes nothing."""
    api.declare(type="Sequence<Sequence<int>>", default_value=[])
    before = api.state()
    responses = {name: api.call(method, path, content=body) for name, body in HOSTILE_BODIES.items()}
    assert {name: response.status_code for name, response in responses.items()} == dict.fromkeys(HOSTILE_BODIES, 422)
    assert [name for name, response in responses.items() if not response.json()["detail"][0]["msg"]] == []
    assert api.state() == before


def test_the_deepest_values_can_be_read(api: Api) -> None:
    """The deepest accepted value can be returned by every route."""
    api.declare(metadata={})
    bodies = (b'{"version":"1.1","value":%s}' % (b"[" * levels + b"]" * levels) for levels in range(300, 0, -1))
    responses = (api.call("PUT", "settings/cache_ttl/metadata/deep", content=body) for body in bodies)
    assert next(response for response in responses if response.status_code != 422).status_code == 204
    api.call("POST", f"history/{api.revision()}/revert")
    for path in ("settings?include_additional_data=true", "settings/cache_ttl", f"history/{api.revision()}", "history"):
        assert api.call("GET", path).status_code == 200


def test_a_nul_character_in_a_value_is_kept(api: Api) -> None:
    """An escaped NUL is accepted in values, types and metadata."""
    options = 'Enum["\\u0000","a"]'
    api.declare(type=options, default_value="\0", metadata={"a": "x\0y"})
    rule_id = api.add_rule("\0", user="a")
    assert api.setting()["type"] == options
    assert api.setting()["metadata"] == {"a": "x\0y"}
    assert api.get(f"rules/{rule_id}").json()["value"] == "\0"


def chunks(size: int, *, of: bytes = b" " * 65_536) -> Iterator[bytes]:
    for _ in range(0, size, len(of)):
        yield of


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 20 * MAX_BODY_BYTES])
def test_bodies_over_the_limit_are_413(api: Api, size: int, *, chunked: bool) -> None:
    """A body over the limit is 413, with and without Content-Length."""
    content = chunks(size + 65_536) if chunked else b" " * size
    response = api.call("POST", "rules", content=content)
    assert (response.status_code, str(MAX_BODY_BYTES) in response.text) == (413, True)


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_up_to_the_limit_are_read(api: Api, *, chunked: bool) -> None:
    """A body of exactly the limit is accepted."""
    api.declare()
    body = RULE % b"1"
    content = body + b" " * (MAX_BODY_BYTES - len(body))
    assert api.call("POST", "rules", content=iter([content]) if chunked else content).status_code == 201


def test_a_body_without_content_type_is_json(api: Api) -> None:
    """A body without Content-Type is JSON, as existing clients send it, also with DELETE."""
    api.declare(metadata={"a": 1})
    headers = api.http.build_request("POST", "/", content=b"x").headers
    assert "content-type" not in headers
    assert api.call("POST", "rules", content=RULE % b"1").status_code == 201
    assert api.call("DELETE", "settings/cache_ttl/metadata", content=b'{"version":"1.1"}').status_code == 204
    assert api.setting()["metadata"] == {}


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/json", "application/x+json"])
def test_json_content_types_are_read(api: Api, kind: str) -> None:
    """All JSON content types are accepted."""
    api.declare()
    response = api.call("POST", "rules", content=RULE % b"1", headers={"content-type": kind})
    assert response.status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense", "multipart/form-data"])
def test_other_content_types_are_422(api: Api, kind: str) -> None:
    """Other content types are refused."""
    response = api.call("POST", "rules", content=RULE % b"1", headers={"content-type": kind})
    assert response.status_code == 422


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/query?settings=%ff%fe",
        "/api/v1/query?settings=%00",
        "/api/v1/query?context_filters=%00",
        "/api/v1/query?context_filters=a:(%ed%a0%80)",
        "/api/v1/rules/search?setting=%00&feature_values=a:b",
        "/api/v1/rules/%00",
        "/api/v1/settings/%ff",
        "/api/v1/settings/..%2f..%2f",
        "/api/v1/context_features/%0a",
        "/api/v1/explain?offset=999999999999999999999999",
        "/api/v1/explain?offset=9223372036854775807",
    ],
)
def test_hostile_targets_are_4xx(api: Api, target: str) -> None:
    """Malformed encodings, NULs, path traversal and huge numbers are 404 or 422."""
    with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        response = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert response.split()[1] in {b"404", b"422"}


def test_no_request_is_smuggled_behind_an_ambiguous_end(api: Api) -> None:
    """A request with two lengths is refused, and what follows it on the connection gets no response."""
    ambiguous = (
        b"POST /f/claim/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
        connection.sendall(ambiguous + b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert response.startswith(b"HTTP/1.1 400 ")
    assert response.count(b"HTTP/1.1 ") == 1


def test_a_broken_request_does_not_hurt_the_next(api: Api) -> None:
    """Data that is not HTTP is refused, and the service continues."""
    for garbage in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                continue
    assert api.http.get("/api/health").status_code == 200


def test_no_stack_trace_leaves_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error is a bare 500, and the next request is served."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    with embedded() as service:
        url = service.url + "/api/v1/context_features"
        with monkeypatch.context() as patched:
            patched.setattr(Store, "write", fail)
            response = httpx.post(url, json={"context_feature": "a"})
        assert (response.status_code, response.text) == (500, "Internal Server Error")
        assert httpx.post(url, json={"context_feature": "a"}).status_code == 204


@pytest.mark.parametrize(
    "value", [0, -1, 2**64 - 1, -(2**63), 0.1, 1e308, 5e-324, 5.0, "é\u2028😀", [[[]]], {"": None}]
)
def test_decoding_keeps_values(value: object) -> None:
    """Integers stay integers, floats stay floats, and strings stay unchanged."""
    decoded = decode_json(json.dumps(value).encode())
    assert repr(decoded) == repr(value)
