from collections.abc import Iterator
from weakref import WeakValueDictionary

import pytest

from heksherlite import main_client
from heksherlite.clients.base import BaseClient


@pytest.fixture(autouse=True)
def _own_main_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process without main client and waiting settings, and refuse a client that is left running."""
    monkeypatch.setattr(main_client, "_main", None)
    monkeypatch.setattr(main_client, "_waiting", WeakValueDictionary())
    yield
    left = main_client.main()
    assert not (isinstance(left, BaseClient) and left.is_live), f"{left!r} was not closed"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each test marked with `pytest.mark.anyio` once on each event loop that the package supports."""
    backend: str = request.param
    return backend


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show every item of two tuples on a line of its own, and mark those that differ."""
    if op != "==" or type(left) is not tuple or type(right) is not tuple or len(left) != len(right):
        return None
    rows = [
        f"  [{index}] {one!r}" if one == other else f"! [{index}] {one!r} != {other!r}"
        for index, (one, other) in enumerate(zip(left, right, strict=True))
    ]
    return ["the tuples differ in the items that are marked by !", *rows]
