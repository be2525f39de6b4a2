"""Names and context values, which the client and the service check by the same rules."""

import pytest

from heksherlite.names import SETTING_NAME, is_context_feature_value
from heksherlite.service.domain.filters import ContextFilter, parse_context_filter, parse_feature_values
from heksherlite.service.errors import InvalidError

VALUES = [
    "john",
    "a.b@c+d=e~f/g-h_1",
    "हिन्दी",  # with vowel signs, which are combining marks
    "e\N{COMBINING ACUTE ACCENT}",
    "Đặng",
    "ไทย",
    "東京",
]
NO_VALUES = ["", "a b", "a,b", "a:b", "(a)", "*", 'a"b', "a\n", "AT&T", "50%", "#1", "a;b", "\N{GRINNING FACE}"]


@pytest.mark.parametrize("value", VALUES)
def test_values_of_context_features(value: str) -> None:
    """Letters of all scripts are accepted, with their combining marks, also in filters and searches."""
    assert is_context_feature_value(value)
    assert parse_context_filter(f"user:({value},x),theme:*") == ContextFilter(
        {"user": frozenset({value, "x"}), "theme": None}
    )
    assert parse_feature_values(f"user:{value},theme:x") == {"user": value, "theme": "x"}


@pytest.mark.parametrize("value", NO_VALUES)
def test_what_cannot_be_a_value(value: str) -> None:
    """White space, separators, quotes and symbols are refused."""
    assert not is_context_feature_value(value)
    with pytest.raises(InvalidError):
        parse_context_filter(f"user:({value}),theme:(x y)")


@pytest.mark.parametrize(("name", "is_name"), [(".", False), ("..", False), ("...", True), (".a", True), ("a.b", True)])
def test_names_that_urls_cannot_have(name: str, is_name: bool) -> None:
    """A name that HTTP clients remove from a URL cannot be given to a setting."""
    assert (SETTING_NAME.fullmatch(name) is not None) is is_name
