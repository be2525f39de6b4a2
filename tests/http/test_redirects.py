"""Redirects to other hosts."""

from collections.abc import Iterator

import httpx
import pytest

from heksherlite import ThreadHeksherClient
from heksherlite.http.redirects import _is_same_origin
from tests.sdk.conftest import ALL
from tests.sdk.scripted_service import QUERY, Scripted, ScriptedService, scripted_service
from tests.service.api import FEATURES

SECRET = "hunter2-hunter2"  # noqa: S105


@pytest.fixture
def elsewhere() -> Iterator[ScriptedService]:
    """Return another service."""
    with scripted_service() as service:
        yield service


def test_credentials_are_not_sent_to_another_host(scripted: ScriptedService, elsewhere: ScriptedService) -> None:
    """With follow_redirects, no header of the program, of its hooks or of the URL is sent to another origin."""
    scripted.script[QUERY] = Scripted(status=307, headers={"Location": f"{elsewhere.url}{QUERY}"})

    def add_token(request: httpx.Request) -> None:
        request.headers["X-Hook"] = SECRET

    args = {
        "follow_redirects": True,
        "headers": {"api_token": SECRET, "X-Key": SECRET, "Authorization": f"Bearer {SECRET}"},
        "cookies": {"session": SECRET},
        "event_hooks": {"request": [add_token]},
    }
    url = scripted.url.replace("://", f"://joe:{SECRET}@")
    client = ThreadHeksherClient(url, 60, FEATURES, push=False, http_client_args=args)
    client.track_contexts(**ALL)
    with client:
        assert client.status.state == "fresh"
    headers = scripted.of(QUERY)[0].headers
    assert (headers["api_token"], headers["X-Key"], headers["X-Hook"]) == (SECRET,) * 3
    (redirected,) = elsewhere.of(QUERY)
    assert SECRET not in str(redirected)
    assert "authorization" not in {name.lower() for name in redirected.headers}


def test_credentials_are_sent_to_the_same_host(scripted: ScriptedService) -> None:
    """A redirect within the same origin keeps all headers."""
    scripted.script["/moved"] = scripted.script[QUERY]
    scripted.script[QUERY] = Scripted(status=307, headers={"Location": "/moved"})
    args = {"follow_redirects": True, "headers": {"api_token": SECRET}}
    client = ThreadHeksherClient(scripted.url, 60, FEATURES, push=False, http_client_args=args)
    client.track_contexts(**ALL)
    with client:
        assert client.status.state == "fresh"
    assert scripted.of("/moved")[0].headers["api_token"] == SECRET


@pytest.mark.parametrize(
    ("url", "target", "is_same"),
    [
        ("http://host", "http://host:80/x", True),
        ("http://host", "https://host", True),
        ("https://host", "http://host", False),
        ("http://host:8080", "https://host", False),
        ("http://host", "http://other", False),
        ("http://host", "http://host:81", False),
    ],
)
def test_origins(url: str, target: str, is_same: bool) -> None:
    """An upgrade to HTTPS on the default ports counts as the same origin, as in httpx."""
    assert _is_same_origin(httpx.URL(url), httpx.URL(target)) is is_same
