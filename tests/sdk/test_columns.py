"""Checks of many JSON values at once."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.values.columns import CHECKS, are_integers, are_strings

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@given(st.lists(_JSON, max_size=4) | st.lists(st.integers(-(2**63), 2**64 - 1)) | st.lists(st.text()))
def test_a_check_of_all_values_is_that_of_each(values: list[Any]) -> None:
    """A column passes the check of a type if and only if each value is exactly of that type."""
    for type_, check in CHECKS.items():
        assert check(values) == all(type(value) is type_ for value in values), type_


@pytest.mark.parametrize(
    "text", ["[1,true]", "[false]", "[1e16]", "[-0.0]", "[1.5]", "[[]]", "[[1]]", '["1"]', "[null]", "[{}]"]
)
def test_only_integers_are_integers(text: str) -> None:
    """No other JSON looks like integers."""
    assert not are_integers(orjson.loads(text))


def test_what_is_no_integer_or_string_of_the_wire_is_refused() -> None:
    """More than 64 bits, and a text that cannot be encoded, are no integers; no value is taken for a string."""
    assert not are_integers([1, 2**64])
    assert not are_integers(["\ud800"])
    assert are_strings(["\ud800"])
    assert not are_strings(["a", None])
    assert are_integers([])
    assert are_strings([])
