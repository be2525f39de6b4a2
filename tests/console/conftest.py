"""One service for all tests of the console that need no other, and a person at a browser without engine."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from heksherlite.service import embedded
from tests.console.pages import Examples, make_examples
from tests.console.shop import open_shop
from tests.console.test_editors import SHOP, VALUE
from tests.console.test_stories import Shop
from tests.service import postgresql
from tests.service.api import FEATURES, Api
from tests.service.browser import Browser
from tests.service.visits import running_chromium


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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a shop with settings of all types, for tests that look at every page."""
    with Shop(tmp_path_factory.mktemp("pages") / "a.db") as shop:
        open_shop(shop.api)
        shop.api.declare("delivery", type="Json", schema=SHOP, default_value=VALUE, metadata={})
        yield shop


@pytest.fixture(scope="module")
def examples(shop: Shop) -> Examples:
    """Return what the addresses of pages contain."""
    return make_examples(shop.api)


@pytest.fixture(scope="module")
def chromium(shop: Shop) -> Iterator[Any]:  # noqa: ARG001 - no tokens can be made beside playwright's event loop
    """Return Chromium."""
    with running_chromium() as browser:
        yield browser
