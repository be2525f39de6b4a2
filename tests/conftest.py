from collections.abc import Iterator
from weakref import WeakValueDictionary

import pytest

from heksherlite import main_client
from heksherlite.clients.base import BaseClient


@pytest.fixture(autouse=True)
def _own_main_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process without main client and without waiting settings, and refuse clients left running."""
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
