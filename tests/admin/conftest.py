from collections.abc import Iterator

import pytest

from heksherlite.admin import AdminClient
from heksherlite.service import embedded
from tests.service.api import FEATURES, Api


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a client of one service for all tests, in whatever state the last one left it."""
    with embedded(tmp_path_factory.mktemp("admin") / "a.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def api(shared_service: Api) -> Api:
    """Return a client of a service with two settings and no rules."""
    shared_service.reset()
    shared_service.declare()
    shared_service.declare("page_size", default_value=20)
    return shared_service


@pytest.fixture
def admin(api: Api) -> Iterator[AdminClient]:
    """Return a client for operators of the service."""
    with AdminClient(api.url) as client:
        yield client
