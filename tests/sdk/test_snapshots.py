"""The bytes of snapshots: every snapshot can be read again, and anything else is refused."""

import json
import tracemalloc
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.engine import snapshots
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.query_events import FeatureOrder
from heksherlite.engine.query_responses import read_query
from heksherlite.engine.snapshots import KeptResponse, Snapshot, decode, encode, unusable_because
from heksherlite.errors import HeksherError, SnapshotError

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LINES = b'{"context_features":["user"]}\n{"settings":0}\n'
KEPT = KeptResponse(200, "application/x-ndjson", '"1"', LINES)
CHANGED = KeptResponse(226, "application/x-ndjson", None, b"x" * 1000)
SNAPSHOT = Snapshot("http://host", ("environment", "user"), "user:(a,b)", NOON, (KEPT, CHANGED))
HEADER: dict[str, Any] = {
    "format": "heksherlite-snapshot",
    "version": 1,
    "service": "",
    "context_features": [],
    "context_filters": "*",
    "taken_at": "2026-01-31T12:00:00+00:00",
    "responses": [{"status": 200, "media_type": "", "etag": None, "size": 3}],
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
kept_responses = st.builds(
    KeptResponse,
    st.sampled_from([200, 226]),
    texts,
    st.none() | texts,
    st.binary(max_size=100) | st.just(b"a" * 10_000),
)
all_snapshots = st.builds(
    Snapshot,
    texts,
    st.lists(texts, max_size=4).map(tuple),
    texts,
    st.datetimes(timezones=st.just(UTC)),
    st.lists(kept_responses, max_size=4).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("9" * 50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def signed(header: dict[str, Any], contents: bytes) -> bytes:
    """Return bytes whose digest and compressed size are right, whatever the rest is."""
    header = {"compressed_size": len(contents), **header}
    first = {name: header.pop(name) for name in ("format", "version")}
    head = json.dumps({**first, **header}, separators=(",", ":")).encode()[:-1]
    return head + b',"sha256":"' + sha256(head + contents).hexdigest().encode() + b'"}\n' + contents


def refusal(data: bytes) -> str:
    with pytest.raises(SnapshotError) as caught:
        decode(data)
    return str(caught.value)


@given(all_snapshots)
def test_snapshots_can_be_read_again(snapshot: Snapshot) -> None:
    """Decoding an encoded snapshot gives an equal snapshot."""
    assert decode(encode(snapshot)) == snapshot


def test_the_first_line_is_readable() -> None:
    """It is a JSON object that says what the file is, and which responses are in it, but not their contents."""
    line = encode(SNAPSHOT).partition(b"\n")[0]
    header = json.loads(line)
    assert list(header)[:2] == ["format", "version"]
    assert (header["format"], header["version"]) == ("heksherlite-snapshot", 1)
    assert (header["service"], header["context_filters"]) == ("http://host", "user:(a,b)")
    assert header["context_features"] == ["environment", "user"]
    assert header["taken_at"] == "2026-01-31T12:00:00+00:00"
    assert header["responses"] == [
        {"status": 200, "media_type": "application/x-ndjson", "etag": '"1"', "size": len(LINES)},
        {"status": 226, "media_type": "application/x-ndjson", "etag": None, "size": 1000},
    ]


def test_contents_are_compressed() -> None:
    """Responses that repeat themselves take little space."""
    responses = (KeptResponse(200, "application/json", None, b'{"rule_id":1}' * 10_000),)
    assert len(encode(Snapshot("", (), "*", NOON, responses))) < 2_000


def test_a_kept_response_is_read_like_the_response() -> None:
    """A kept response can be read, and errors name the query."""
    response = Response(Request("GET", "/api/v1/query", params=(("settings", ""),)), 200, LINES, '"1"', KEPT.media_type)
    kept = KeptResponse.of(response)
    assert kept == KEPT
    assert list(read_query(kept.to_response())) == list(read_query(response)) == [FeatureOrder(("user",))]
    with pytest.raises(HeksherError, match="GET /api/v1/query"):
        list(read_query(CHANGED.to_response()))


@pytest.mark.parametrize("time", [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=1)))])
def test_times_are_utc(time: datetime) -> None:
    """A snapshot cannot be made with a time that is not in UTC, which nobody could read."""
    with pytest.raises(ValueError, match="in UTC"):
        Snapshot("", (), "*", time, ())


def test_every_truncation_is_noticed() -> None:
    """Wherever the end is cut off, that is what the error says."""
    data = encode(SNAPSHOT)
    assert {refusal(data[:size]) for size in range(len(data))} == {"it is truncated"}


def test_every_changed_byte_is_noticed() -> None:
    """There is no byte, of the first line or after it, whose change goes unnoticed."""
    data = bytearray(encode(SNAPSHOT))
    for index in range(len(data)):
        data[index] ^= 1
        assert refusal(bytes(data))
        data[index] ^= 1
    assert decode(bytes(data)) == SNAPSHOT


@given(st.data())
def test_damaged_bytes_are_refused(data: st.DataObject) -> None:
    """Any part of a snapshot may be replaced by any bytes: the error is always the same."""
    whole = encode(SNAPSHOT)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    if damaged != whole:
        assert refusal(damaged)


@given(st.binary() | st.binary().map(lambda data: b'{"format":"heksherlite-snapshot","version":1,' + data))
def test_other_bytes_are_refused(data: bytes) -> None:
    """Bytes that were never a snapshot are refused, also if they begin like one."""
    assert refusal(data)


@given(st.sampled_from([name for name in (*HEADER, "compressed_size") if name != "format"]), anything)
def test_any_value_of_any_member_is_refused_or_read(name: str, value: Any) -> None:
    """With a valid digest, any value of a member in the first line is either read or refused."""
    data = signed({**HEADER, name: value}, zlib.compress(b"abc"))
    with suppress(SnapshotError):
        decode(data)


@given(st.dictionaries(st.sampled_from(["status", "media_type", "etag", "size"]), anything), anything)
def test_any_description_of_a_response_is_refused_or_read(members: dict[str, Any], other: Any) -> None:
    """With a valid digest, any description of a response is either read or refused."""
    for response in ({**HEADER["responses"][0], **members}, members, other):
        with suppress(SnapshotError):
            decode(signed({**HEADER, "responses": [response]}, zlib.compress(b"abc")))


@given(st.binary())
def test_any_contents_are_refused(contents: bytes) -> None:
    """With a right digest, bytes that are not the compressed responses are refused."""
    assert refusal(signed(HEADER, contents))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x7fELF", "it is not a heksherlite snapshot"),
        (b"", "it is truncated"),
        (signed({**HEADER, "version": 2, "responses": "new"}, b""), "a newer heksherlite made it: schema version 2"),
        (signed({**HEADER, "version": 0}, b""), "0 is not a schema version"),
        (signed({**HEADER, "version": 2**70}, b""), "is not a schema version"),
        (b'{"format":"heksherlite-snapshot","version":1}x\n', "its header is not JSON"),
        (b'{"format":"heksherlite-snapshot","version":' + b"[" * 100_000 + b"\n", "its header is not JSON"),
        (b'{"format":"heksherlite-snapshot","version":1,"\xff":1}\n', "its header is not JSON"),
        (b'{"format":"heksherlite-snapshot","version":1,"service":"\0"}\n', "its header is not JSON"),
        (encode(SNAPSHOT) + b"x", "its digest is another one"),
        (signed({**HEADER, "service": None}, b""), "service in its header is None"),
        (signed({**HEADER, "context_features": ["a", 1]}, b""), r"context_features in its header is \['a', 1\]"),
        (signed({**HEADER, "taken_at": "yesterday"}, b""), "taken_at in its header is 'yesterday'"),
        (signed({**HEADER, "taken_at": "2026-01-31T12:00:00"}, b""), "taken_at"),
        (signed({**HEADER, "taken_at": "0001-01-01T00:00:00+23:59"}, b""), "taken_at"),
        (signed({**HEADER, "responses": [1]}, b""), r"responses in its header is \[1\]"),
        (signed({**HEADER, "responses": [{"status": 304}]}, b""), "status in its header is 304"),
        (signed({**HEADER, "responses": [{"status": 200, "size": -1}]}, b""), "size in its header is -1"),
        (
            signed({**HEADER, "responses": [{"status": 200, "size": 2**30 + 1}]}, b""),
            "size in its header is 1073741825",
        ),
        (signed({**HEADER, "responses": [{"status": 200, "size": 2**29}] * 3}, b""), "size in its header is 536870912"),
        (signed({**HEADER, "responses": [{"status": 200, "size": True}]}, b""), "size in its header is True"),
        (signed(HEADER, b"abc"), "incorrect header check"),
        (signed(HEADER, zlib.compress(b"ab")), "not as large as its header says"),
        (signed(HEADER, zlib.compress(b"abcd")), "not as large as its header says"),
        (signed(HEADER, zlib.compress(b"abc")[:-1]), "not as large as its header says"),
        (signed(HEADER, zlib.compress(b"abc") + b"x"), "not as large as its header says"),
        (signed({**HEADER, "responses": []}, zlib.compress(b"x")), "not as large as its header says"),
    ],
)
def test_the_error_says_what_is_wrong(data: bytes, reason: str) -> None:
    """Each way to be no snapshot has an error of its own."""
    with pytest.raises(SnapshotError, match=reason):
        decode(data)


def test_a_bomb_is_not_decompressed() -> None:
    """Contents are decompressed up to the announced size only."""
    bomb = signed(HEADER, zlib.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        assert "not as large as its header says" in refusal(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_too_much_is_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that is too large is refused before it is compressed."""
    monkeypatch.setattr(snapshots, "LARGEST", 1000)
    with pytest.raises(SnapshotError, match="it is too large: 1,045 bytes of responses, of at most 1,000"):
        encode(SNAPSHOT)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, None),
        ({"service": ""}, None),
        ({"service": "http://other"}, "of the service at http://host, and not of the one at http://other"),
        ({"context_features": ["user", "environment"]}, "its context features are"),
        ({"context_features": ["environment"]}, "its context features are"),
        ({"context_filters": "user:*"}, "the rules for 'user:(a,b)', and not those for 'user:*'"),
    ],
)
def test_foreign_snapshots_are_told_apart(other: dict[str, Any], reason: str | None) -> None:
    """A snapshot is only for clients with the same service, order of context features, and tracked contexts."""
    client: dict[str, Any] = {
        "service": "http://host",
        "context_features": ["environment", "user"],
        "context_filters": "user:(a,b)",
    }
    found = unusable_because(SNAPSHOT, **{**client, **other})
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert reason in found


def test_snapshots_of_no_service_with_everything_are_for_all() -> None:
    """An exported snapshot suits any service and any tracked contexts, but the context features must be the same."""
    snapshot = Snapshot("", ("a", "b"), "*", NOON, ())
    assert unusable_because(snapshot, service="http://x", context_features=["a", "b"], context_filters="a:*") is None
    assert unusable_because(snapshot, service="http://x", context_features=["b", "a"], context_filters="a:*")
