"""Server-sent events that arrive in arbitrary pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.engine.event_stream import EventStreamReader, ServerSentEvent

STREAM = (
    b": a comment\n\n"
    b"retry: 2000\nevent: ready\nid: 5-0a1b2c3d4e5f\ndata: {}\n\n"
    b"data: first\r\ndata:second\r\ndata\r\n\r\n"
    b"id: 6\n\n"
    b'event: change\rdata: {"spread": 0.5}\r\r'
    b"event: lost with the connection\ndata: 1\n"
)
EVENTS = [
    ServerSentEvent("ready", "{}", "5-0a1b2c3d4e5f"),
    ServerSentEvent("message", "first\nsecond\n", "5-0a1b2c3d4e5f"),
    ServerSentEvent("change", '{"spread": 0.5}', "6"),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_pieces(cuts: list[int]) -> None:
    """The events are the same wherever the stream is divided. An incomplete event is ignored."""
    reader = EventStreamReader()
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert [event for piece in pieces for event in reader.read(piece)] == EVENTS


@given(st.lists(st.binary()))
def test_arbitrary_bytes(pieces: list[bytes]) -> None:
    """Any bytes can be read, and give a valid spread."""
    reader = EventStreamReader()
    for piece in pieces:
        for event in reader.read(piece):
            assert 0 <= event.spread <= 60


@pytest.mark.parametrize("line", [b"x", b"data: xxx\n", b"\n"])
def test_an_event_without_end(line: bytes) -> None:
    """An event without end is refused."""
    reader = EventStreamReader()
    pieces = (event for _ in range(100) for event in reader.read(line * (1 << 14)))
    with pytest.raises(ValueError, match="the stream has no event within 1048576 bytes"):
        list(pieces)


@pytest.mark.parametrize(
    ("data", "spread"),
    [
        ('{"spread": 0.25}', 0.25),
        ('{"spread": 1e9}', 60),
        ('{"spread": -1}', 0),
        ('{"spread": "1"}', 0),
        ('{"spread": null}', 0),
        ("[1]", 0),
        ("{", 0),
    ],
)
def test_spread(data: str, spread: float) -> None:
    """The spread is a number of seconds within reason, and 0 if the service does not say one."""
    assert ServerSentEvent("change", data).spread == spread


@pytest.mark.parametrize("unusable", ["", "a b", "a\tb", "ä", "\0", "1" * 101])
def test_an_id_that_cannot_be_sent_back(unusable: str) -> None:
    """An id that cannot be a header is ignored, and the previous one stays."""
    (event,) = EventStreamReader().read(f"id: 5-0a1b2c3d4e5f\nid: {unusable}\ndata: {{}}\n\n".encode())
    assert event.id == "5-0a1b2c3d4e5f"
