"""JSON that people write."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.json_texts import LongIntegerError, parse_json

integers = st.integers(-(2**70), 2**70)
values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def integers_in(value: Any) -> list[int]:
    """Return all integers of a JSON value."""
    if isinstance(value, list | dict):
        return [each for part in (value.values() if isinstance(value, dict) else value) for each in integers_in(part)]
    return [value] if type(value) is int else []


@given(values)
def test_integers_are_exact_or_refused(value: Any) -> None:
    """An integer of 64 bits is read as it is, and a longer one is refused instead of rounded."""
    text = json.dumps(value)
    if all(-(2**63) <= each < 2**64 for each in integers_in(value)):
        assert parse_json(text) == parse_json(text.encode()) == value
        assert list(map(type, integers_in(parse_json(text)))) == list(map(type, integers_in(value)))
    else:
        with pytest.raises(LongIntegerError, match=r"the integer -?\d+ has more than 64 bits"):
            parse_json(text)


def test_digits_elsewhere_are_no_integers() -> None:
    """Digits in texts and in fractions are no long integers, and the error has not all of many digits."""
    assert parse_json('["99999999999999999999", 0.99999999999999999999, 1e30]') == ["9" * 20, 1.0, 1e30]
    with pytest.raises(LongIntegerError, match=r"the integer 9{30} has .* line 1 column 2"):
        parse_json("[" + "9" * 300 + "]")
    with pytest.raises(orjson.JSONDecodeError):
        parse_json("[99999999999999999999")
