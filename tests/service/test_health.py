from functools import partial
from pathlib import Path

import httpx
import pytest

from heksherlite import __version__
from heksherlite.service import embedded, server
from heksherlite.service.storage.store import Store
from tests.service.api import Api
from tests.waiting import until


def test_health_tells_the_version(api: Api) -> None:
    """Health is 200 with the version of the package."""
    response = api.http.get("/api/health")
    assert (response.status_code, response.json()) == (200, {"version": __version__})


def test_documentation_is_served(api: Api) -> None:
    """The documentation page and the OpenAPI schema exist."""
    assert "swagger" in api.http.get("/docs").text.lower()
    assert api.http.get("/openapi.json").json()["info"]["version"] == __version__


def test_unknown_paths_and_methods_are_refused(api: Api) -> None:
    """Unknown paths are 404, and unknown methods 405."""
    assert api.get("nonsense").status_code == httpx.codes.NOT_FOUND
    assert api.call("PUT", "query").status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_an_unreachable_database_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the file is missing, health is 500 with the same body, writes are 503, and reads continue."""
    monkeypatch.setattr(server, "Store", partial(Store, check_interval=0.05, poll_interval=0.01))
    path, away = tmp_path / "a.db", tmp_path / "away.db"
    with embedded(path, context_features=["a"]) as service, httpx.Client(base_url=service.url) as client:

        def health() -> int:
            response = client.get("/api/health")
            assert response.json() == {"version": __version__}
            return response.status_code

        path.rename(away)
        until(lambda: health() == 500)
        response = client.post("/api/v1/context_features", json={"context_feature": "b"})
        assert (response.status_code, "nothing was changed" in response.text) == (503, True)
        assert client.get("/api/v1/context_features").json() == {"context_features": ["a"]}
        away.rename(path)
        until(lambda: health() == 200)
        assert client.post("/api/v1/context_features", json={"context_feature": "b"}).status_code == 204
