"""A service without tokens refuses requests that a web page of another site could send."""

from collections.abc import Iterator

import httpx
import pytest

from heksherlite.service import embedded
from tests.service.api import FEATURES
from tests.service.routes import Call, all_calls
from tests.service.tokens import WITH_TOKENS

PUBLIC_URL = "https://settings.example.com/heksher"
FEATURE = {"context_feature": "new"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with embedded(context_features=FEATURES, public_url=PUBLIC_URL) as service:
        yield service.url


def status(url: str, method: str = "GET", path: str = "/api/v1/settings", **headers: str) -> int:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.stream(method, url + path, headers=renamed) as response:
        return response.status_code


@pytest.mark.parametrize("call", all_calls(), ids=lambda call: f"{call.method} {call.path}")
def test_a_foreign_host_is_refused_on_every_route(url: str, call: Call) -> None:
    """A site whose host name points to this machine (DNS rebinding) can neither read nor write."""
    path = call.example_path()
    assert status(url, call.method, path, host="evil.example") == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8888",
        "app.localhost",
        "127.0.0.1",
        "127.0.0.1:8888",
        "[::1]:8888",
        "10.1.2.3:80",
        "heksher",
        "settings.example.com",
    ],
)
def test_own_hosts_are_accepted(url: str, host: str) -> None:
    """Addresses, names that no site can own, and the host of the public URL are accepted."""
    assert status(url, host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8888", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example."]
)
def test_names_that_look_like_own_hosts_are_refused(url: str, host: str) -> None:
    """Only the whole host name counts."""
    assert status(url, host=host) == 403


@pytest.mark.parametrize("host", ["a!b.example", "evil.example/", "a b", "[evil]"])
@pytest.mark.parametrize("path", ["/api/v1/settings", "/.well-known/fakts", "/f/login"])
def test_a_malformed_host_is_refused(url: str, path: str, host: str) -> None:
    """A malformed Host does not count as the address of the service."""
    assert status(url, path=path, host=host) == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": PUBLIC_URL},
    ],
)
def test_a_write_from_another_site_is_refused(url: str, headers: dict[str, str]) -> None:
    """A page of another site cannot write, although browsers send some writes without asking first."""
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx.post(url + "/api/v1/context_features", json=FEATURE, headers=renamed)
    assert response.status_code == 403
    assert "another site" in response.json()["detail"]
    assert httpx.get(url + "/api/v1/context_features").json() == {"context_features": FEATURES}


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_write_from_the_own_site_is_accepted(url: str, site: str) -> None:
    """Pages of the service, such as the interactive documentation, may write."""
    assert status(url, "DELETE", "/api/v1/context_features/nothing", sec_fetch_site=site, origin=url) == 404
    assert status(url, "DELETE", "/api/v1/context_features/nothing", origin=url) == 404


def test_programs_send_neither_header(url: str) -> None:
    """A program that sends no Origin and no Content-Type can write, as existing clients do."""
    response = httpx.post(url + "/api/v1/settings/declare", content=b"{}")
    assert response.status_code == 422


def test_tokens_are_enough() -> None:
    """A service with tokens accepts any host name, because no browser sends tokens by itself."""
    with embedded(access=WITH_TOKENS) as service:
        headers = {"host": "evil.example", "authorization": f"Bearer {service.first_token}"}
        assert httpx.get(service.url + "/api/v1/settings", headers=headers).status_code == 200
