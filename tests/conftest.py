from collections.abc import Iterator
from weakref import WeakValueDictionary

import pytest

from heksherlite import main_client
from heksherlite.clients.base import BaseClient


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let everything be tested, also what takes long."""
    parser.addoption(
        "--thorough", action="store_true", help="run what takes long too: the API over PostgreSQL, and more"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for."""
    if not config.getoption("thorough"):
        long = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(autouse=True)
def _own_main_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process without main client and without waiting settings, and refuse clients left running."""
    monkeypatch.setattr(main_client, "_main", None)
    monkeypatch.setattr(main_client, "_waiting", WeakValueDictionary())
    yield
    left = main_client.main()
    assert not (isinstance(left, BaseClient) and left.is_live), f"{left!r} was not closed"
