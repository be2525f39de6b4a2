"""One service for all tests of the console that need no other, and a person at a browser without engine."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from heksherlite.service import embedded
from tests.service import postgresql
from tests.service.api import FEATURES, Api
from tests.service.browser import Browser


@pytest.fixture(scope="package", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def console_service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a client of a service without tokens."""
    with ExitStack() as stack:
        database = str(tmp_path_factory.mktemp("console") / "a.db")
        if request.param == "postgresql":
            database = stack.enter_context(postgresql.running()).new_database()
        service = stack.enter_context(embedded(database, context_features=FEATURES))
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def empty_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an empty database for all tests of a module, which run on both kinds of databases."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            yield stack.enter_context(postgresql.running()).new_database()
        else:
            yield f"sqlite:///{tmp_path_factory.mktemp('console')}/a.db"


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
