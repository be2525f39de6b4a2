"""Failed assertions say what differs."""

import pytest

from tests.conftest import pytest_assertrepr_compare


def test_tuples_show_each_item() -> None:
    """A failed comparison of tuples shows each item, and marks those that differ."""
    with pytest.raises(AssertionError) as caught:
        assert (1, "same", [2]) == (1, "same", [3])
    assert str(caught.value).splitlines()[1:] == ["    [0] 1", "    [1] 'same'", "  ! [2] [2] != [3]"]


@pytest.mark.parametrize(("left", "right"), [((1,), (1, 2)), ([1], [2]), (1, 2)])
def test_others_are_shown_as_usual(left: object, right: object) -> None:
    """Tuples of different lengths, and anything else, are left to pytest."""
    assert pytest_assertrepr_compare("==", left, right) is None
    assert pytest_assertrepr_compare("in", (1,), (2,)) is None
