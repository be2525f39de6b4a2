from collections.abc import Iterator

import pytest

from heksherlite.service import embedded
from tests.service.api import FEATURES, Api


@pytest.fixture(scope="session")
def shared_api() -> Iterator[Api]:
    """Return a client of one service for all tests, in whatever state the last one left it."""
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def api(shared_api: Api) -> Api:
    """Return a client of a service without settings, with three context features."""
    shared_api.reset()
    return shared_api
