from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heksherlite.service import embedded
from tests.service import postgresql
from tests.service.api import FEATURES, Api
from tests.service.postgresql import PostgresqlServer

STORAGE = {
    f"tests.service.test_{name}"
    for name in ("applications", "audit", "batches", "declarers", "importing", "migrations", "replicas", "store")
}

_DECLARED_SETTING = {"name": "cache_ttl", "type": "int", "default_value": 60, "version": "1.0"}
"""The setting that `Api.declare` makes, as it is listed."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Return a PostgreSQL server that all tests share. No test stops it."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Return a function that makes an empty database and returns its URL."""
    made: list[str] = []
    make = _maker(request, tmp_path)

    def make_one() -> str:
        made.append(make())
        return made[-1]

    yield make_one
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        for url in made:
            server.give_back(url)


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """Return the URL of an empty database."""
    return new_database()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with both databases. Tests that are not about storage use PostgreSQL only if they are thorough."""
    marks = [] if getattr(metafunc.module, "__name__", None) in STORAGE else [pytest.mark.thorough]
    kinds = ["sqlite", pytest.param("postgresql", marks=marks)]
    if "shared_api" in metafunc.fixturenames:
        metafunc.parametrize("shared_api", kinds, indirect=True, scope="session")
    if "new_database" in metafunc.fixturenames:
        metafunc.parametrize("new_database", kinds, indirect=True)


@pytest.fixture(scope="session")
def shared_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a client of one service for all tests, in the state in which the previous test left it."""
    database = _maker(request, tmp_path_factory.mktemp("shared"))()
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def api(shared_api: Api) -> Api:
    """Return a client of a service without settings, with three context features."""
    shared_api.reset()
    return shared_api


@pytest.fixture
def declared_api(shared_api: Api) -> Api:
    """Return a client of a service with the setting ``cache_ttl`` and no other, for tests that change nothing.

    It is only made ready again after a test that changed something, which takes longer than most such tests.
    """
    is_ready = (
        shared_api.get("settings").json()["settings"] == [_DECLARED_SETTING]
        and shared_api.setting()["configurable_features"] == ["environment", "user"]
        and shared_api.features() == FEATURES
    )
    if not is_ready:
        shared_api.reset()
        shared_api.declare()
    return shared_api


def _maker(request: pytest.FixtureRequest, folder: Path) -> Callable[[], str]:
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        return server.empty_database
    names = iter(range(1_000_000))
    return lambda: f"sqlite:///{folder}/{next(names)}.db"
