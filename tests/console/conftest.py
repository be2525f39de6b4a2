"""One service for all tests of the console that need no other, and a person at a browser without engine."""

from collections.abc import Iterator

import pytest

from heksherlite.service import embedded
from tests.service.api import FEATURES, Api
from tests.service.browser import Browser


@pytest.fixture(scope="package")
def console_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a client of a service without tokens."""
    with embedded(tmp_path_factory.mktemp("console") / "a.db", context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def api(console_service: Api) -> Api:
    """Return a client of a service without settings, with three context features."""
    console_service.reset()
    return console_service


@pytest.fixture
def browser(api: Api) -> Iterator[Browser]:
    """Return a browser without engine."""
    with Browser(api.url) as browser:
        yield browser
