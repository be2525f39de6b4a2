"""A service for the commands that manage settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api


@pytest.fixture(scope="session")
def managed_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with embedded(tmp_path_factory.mktemp("managed") / "a.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def terminal(managed_service: Api, tmp_path: Path) -> Terminal:
    """Return a terminal beside a service with three settings and no rules."""
    managed_service.reset()
    managed_service.declare()
    managed_service.declare("shop.title", type="str", default_value="shop", configurable_features=["user"])
    managed_service.declare("shop.open", type="bool", default_value=False, configurable_features=["user"])
    return Terminal(managed_service, tmp_path)
