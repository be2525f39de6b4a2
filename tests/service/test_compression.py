"""Large responses to queries are compressed for clients that accept that."""

import gzip

import httpx
import pytest
import zstandard

from heksherlite.service.api.compression import accepted_coding
from tests.service.api import Api


@pytest.fixture
def large(api: Api) -> Api:
    api.declare(default_value="x" * 100_000, type="str")
    return api


def raw(api: Api, accept_encoding: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return a response with its body as it was sent."""
    headers["Accept-Encoding"] = accept_encoding
    with api.http.stream("GET", "/api/v1/query", params={"settings": "cache_ttl"}, headers=headers) as response:
        return response, b"".join(response.iter_raw())


def test_each_coding_has_the_same_content_and_a_tag_of_its_own(large: Api) -> None:
    """All codings have the same content, a tag of their own, and a Vary header."""
    plain, body = raw(large, "identity")
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "accept, accept-encoding, a-im, last-event-id"
    tags = {plain.headers["ETag"]}
    for coding, decompress in (("gzip", gzip.decompress), ("zstd", zstandard.decompress)):
        response, compressed = raw(large, coding)
        assert response.headers["Content-Encoding"] == coding
        assert len(compressed) < len(body) / 10
        assert decompress(compressed) == body
        assert raw(large, coding)[1] == compressed
        assert raw(large, coding, **{"If-None-Match": response.headers["ETag"]})[0].status_code == 304
        tags.add(response.headers["ETag"])
    assert len(tags) == 3


def test_partial_responses_are_compressed_too(large: Api) -> None:
    """Large partial responses are compressed."""
    lines = {"Accept": "application/x-ndjson", "A-IM": "heksherlite"}
    tag = raw(large, "gzip", **lines)[0].headers["ETag"]
    large.add_rule("y" * 100_000, user="john")
    response, compressed = raw(large, "gzip", **lines, **{"If-None-Match": tag})
    assert response.status_code == 226
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"y" * 100_000 in gzip.decompress(compressed)


def test_small_responses_stay_as_they_are(api: Api) -> None:
    """Small responses are not compressed."""
    api.declare()
    response, body = raw(api, "gzip, zstd")
    assert "Content-Encoding" not in response.headers
    assert body.startswith(b"{")


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("", None),
        ("gzip, deflate, zstd", "zstd"),
        ("gzip;q=1.0, br", "gzip"),
        ("GZIP", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("zstd ; q = 0.0 , gzip;q=0.001", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("identity", None),
        ("br", None),
        (",;,", None),
    ],
)
def test_accepted_coding(accept_encoding: str, coding: str | None) -> None:
    """The best coding that the client accepts is used, and none that it excludes."""
    assert accepted_coding(accept_encoding) == coding
