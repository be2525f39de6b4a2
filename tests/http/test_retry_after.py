"""The Retry-After header."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.http.retry_after import retry_after

REQUEST = httpx.Request("GET", "http://service.example/api/v1/query")


def asked(value: bytes | None) -> float | None:
    """Return the seconds of a response with this header."""
    headers = [] if value is None else [(b"Retry-After", value)]
    response = httpx.Response(503, headers=httpx.Headers(headers), request=REQUEST)
    return retry_after(httpx.HTTPStatusError("503", request=REQUEST, response=response))


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("1", 1), ("120", 120), (" 7 ", 7), ("007", 7)])
def test_seconds(value: str, seconds: float) -> None:
    """A number is a number of seconds."""
    assert asked(value.encode()) == seconds


def test_date() -> None:
    """A date is converted to seconds from now."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < (asked(date.encode()) or 0) <= 100


def test_date_in_the_past() -> None:
    """A date in the past is 0."""
    assert asked(b"Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("value", ["9" * 9, "9" * 30, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_huge_values(value: str) -> None:
    """A huge value is accepted."""
    assert (asked(value.encode()) or 0) > 10**8


GARBAGE = [
    "",
    "soon",
    "-1",
    "1.5",
    "1e3",
    "1, 2",
    "²",
    "é",
    "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    "Fri, 31 Dec 2030 23:59:59 +9999999999999999",
    "Fri, 31 Dec 2030 25:61:61 GMT",
    "Fri, 31 Dec 2030",
    "Fri, 31 Dec 2030 23:59:59 -0000",
]


@pytest.mark.parametrize("value", GARBAGE)
def test_malformed_values(value: str) -> None:
    """A malformed value is ignored."""
    assert asked(value.encode()) is None


def test_without_the_header() -> None:
    """Without the header, and for other errors, the result is None."""
    assert asked(None) is None
    assert retry_after(httpx.ConnectError("no")) is None
    assert retry_after(ValueError("no")) is None


dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Fri", ""]),
    *[st.integers(0, 40)],
    st.sampled_from(["Jan", "Dec", "X"]),
    st.integers(-1, 10**30),
    *[st.integers(0, 10**10)] * 3,
    st.sampled_from(["GMT", "+0000", "-0000", "+99999999999", "", "x"]),
)


@given(st.binary(max_size=40) | dates.map(str.encode))
def test_arbitrary_values(value: bytes) -> None:
    """No header raises an exception or gives a negative number."""
    assert (asked(value) or 0) >= 0
