from collections.abc import Iterator

import pytest

from heksherlite import MissingContextError, Setting, contexts
from heksherlite.testing import strict


@pytest.fixture(autouse=True)
def switched_off() -> Iterator[None]:
    """Leave the switch as it was, whatever the test does."""
    yield
    assert contexts.require_without_client(required=False) is False


def test_missing_features_are_an_error_without_a_client() -> None:
    """In strict tests, a setting that is read without a feature raises as in production, although nothing is loaded."""
    setting = Setting("x", int, ["user", "theme"], 7)
    assert setting.get() == 7
    with strict():
        with pytest.raises(MissingContextError, match="'theme'"):
            setting.get(user="a")
        assert setting.get(user="a", theme="b") == 7
    assert setting.get() == 7


def test_strictness_can_be_switched_without_a_block() -> None:
    """A call without a block lasts until the next one."""
    setting = Setting("x", int, ["user"], 7)
    strict()
    with pytest.raises(MissingContextError), strict():
        setting.get()
    with pytest.raises(MissingContextError):
        setting.get()
    strict(enabled=False)
    assert setting.get() == 7
