"""Routes that are built when they are first used."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from heksherlite.service.api.deferred_routes import DeferredRoute

STARTED_ALONE = """
from pathlib import Path
from heksherlite.service.app import create_app
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store

app = create_app(Store(SqliteDatabase(Path("unopened.db"))), defers_routes=True)
built = lambda: [route.path for route in app.routes if "dependant" in vars(route)]
assert built() == [], built()
deferred = app.openapi()
assert built(), "the schema needs them"
assert create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi() == deferred
assert len(built()) == len(app.routes)
"""


class CountedRoute(DeferredRoute):
    """A route that counts how often it is built."""

    times_built = 0

    def get_route_handler(self) -> Any:
        self.times_built += 1
        return super().get_route_handler()


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(route_class=CountedRoute)

    @router.get("/double/{number}")
    async def double(number: int) -> int:
        return 2 * number

    app = FastAPI()
    app.router.routes.extend(router.routes)
    return app


def route_of(app: FastAPI) -> CountedRoute:
    (route,) = (route for route in app.routes if isinstance(route, CountedRoute))
    return route


def test_the_first_request_builds_a_route(app: FastAPI) -> None:
    """A request to another path, or by another method, does not. All later requests use what was built."""

    async def run() -> None:
        async with httpx.AsyncClient(base_url="http://service", transport=httpx.ASGITransport(app)) as client:
            assert (await client.get("/other")).status_code == 404
            assert (await client.post("/double/1")).status_code == 405
            assert route_of(app).times_built == 0
            assert (await client.get("/double/2")).json() == 4
            assert (await client.get("/double/3")).json() == 6
            assert (await client.get("/double/x")).status_code == 422
            assert route_of(app).times_built == 1

    asyncio.run(run())


def test_the_schema_builds_a_route(app: FastAPI) -> None:
    """OpenAPI describes the parameters and the response of a route that nobody requested."""
    operation = app.openapi()["paths"]["/double/{number}"]["get"]
    assert operation["parameters"][0]["schema"]["type"] == "integer"
    assert route_of(app).times_built == 1


def test_threads_build_a_route_once(app: FastAPI) -> None:
    """Threads that need a route at the same time get the same one, complete."""
    together = Barrier(8)

    def dependant(_: int) -> Any:
        together.wait(10)
        return route_of(app).dependant

    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(dependant, range(8)))
    assert all(each is found[0] for each in found)
    assert route_of(app).times_built == 1


def test_what_a_route_does_not_have(app: FastAPI) -> None:
    """Another attribute is an error that names it, and builds nothing."""
    with pytest.raises(AttributeError, match="'CountedRoute' object has no attribute 'colour'"):
        _ = route_of(app).colour
    assert route_of(app).times_built == 0


@pytest.mark.thorough
def test_a_service_alone_builds_routes_on_demand() -> None:
    """A service that defers its routes has the same schema as one that does not."""
    subprocess.run([sys.executable, "-c", STARTED_ALONE], check=True, timeout=60)
