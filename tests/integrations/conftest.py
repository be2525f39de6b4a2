import gc
from collections.abc import Callable, Iterator

import pytest

from heksherlite import Rule, Setting, SyncStubHeksherClient, in_force
from heksherlite.context_values import own_variable
from tests.grants.conftest import endpoint, shared_endpoint
from tests.sdk.conftest import log, stub

__all__ = ["endpoint", "log", "nothing_is_left", "setting", "shared_endpoint", "stub", "update"]


@pytest.fixture
def setting(stub: SyncStubHeksherClient) -> Setting[str]:
    """Return a setting whose value says which user it was read for."""
    setting = Setting("x", str, ["user"], "nobody")
    stub[setting].rules = [Rule({"user": "john"}, "john 1"), Rule({"user": "jane"}, "jane 1")]
    return setting


@pytest.fixture
def update(setting: Setting[str], stub: SyncStubHeksherClient) -> Callable[[], None]:
    """Return a function that changes the values."""
    numbers = iter(range(2, 1000))

    def change() -> None:
        number = next(numbers)
        stub[setting].rules = [Rule({"user": user}, f"{user} {number}") for user in ("john", "jane")]

    return change


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Check that after the test the context is as before, and no block is open."""
    yield
    with pytest.raises(LookupError):
        own_variable("user").get()
    gc.collect()
    assert in_force._open == ()
