import httpx

from heksherlite import __version__
from tests.service.api import Api


def test_health_tells_the_version(api: Api) -> None:
    """Health is 200 with the version of the package."""
    answer = api.http.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"version": __version__})


def test_documentation_is_served(api: Api) -> None:
    """The documentation pages and the OpenAPI schema exist."""
    assert "swagger" in api.http.get("/docs").text.lower()
    assert "redoc" in api.http.get("/redoc").text.lower()
    assert api.http.get("/openapi.json").json()["info"]["version"] == __version__


def test_unknown_paths_and_methods_are_refused(api: Api) -> None:
    """What the API does not have is 404 or 405."""
    assert api.get("nonsense").status_code == httpx.codes.NOT_FOUND
    assert api.call("PUT", "query").status_code == httpx.codes.METHOD_NOT_ALLOWED
