"""Headers and cookies that cannot be sent, such as tokens from files."""

import logging
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from heksherlite import AsyncHeksherClient, ThreadHeksherClient
from heksherlite.grants import (
    AdvertisedDiscovery,
    DeviceCodeGrant,
    Manifest,
    RedeemGrant,
    RetrieveGrant,
    StaticDiscovery,
    StaticGrant,
    WellKnownDiscovery,
)
from heksherlite.http.construction import checked_http_client_args, new_http_client
from heksherlite.integrations.oauth2 import OAuth2Auth
from tests.sdk.conftest import ALL, Log
from tests.sdk.scripted_service import QUERY, ScriptedService
from tests.service.api import FEATURES

SECRET = "hunter2-hunter2"  # noqa: S105
DISCOVERY = StaticDiscovery(base_url="http://host/f/")
MANIFEST = Manifest(identifier="app", version="1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}\n"},
        {b"Authorization": f" Bearer {SECRET}\r\n".encode()},
        [("Authorization", f"Bearer {SECRET} \t")],
        httpx.Headers({"Authorization": f"Bearer {SECRET}\n"}),
    ],
)
def test_white_space_around_header_values(headers: Any) -> None:
    """White space around the value of a header is removed, whatever the type of the headers."""
    client = anyio.run(new_http_client, {"headers": headers})
    assert client.headers["authorization"] == f"Bearer {SECRET}"


def test_white_space_around_cookies() -> None:
    """White space around the value of a cookie is removed."""
    client = anyio.run(new_http_client, {"cookies": {"token": f"{SECRET}\n"}})
    assert client.cookies["token"] == SECRET


def test_other_arguments_are_unchanged() -> None:
    """Repeated headers keep their order, and other arguments are passed on."""
    args = checked_http_client_args({"headers": [("A", "1"), ("B", "2"), ("a", "3")], "timeout": 5})
    assert args["headers"].multi_items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert args["timeout"] == 5
    assert checked_http_client_args(None) == {}


CONSTRUCTORS: list[Callable[[Any], object]] = [
    lambda args: ThreadHeksherClient("http://host", 60, FEATURES, http_client_args=args),
    lambda args: AsyncHeksherClient("http://host", 60, FEATURES, http_client_args=args),
    lambda args: WellKnownDiscovery(url="http://host", http_client_args=args),
    lambda args: AdvertisedDiscovery(http_client_args=args),
    lambda args: StaticGrant(token="t", discovery=DISCOVERY, http_client_args=args),  # noqa: S106
    lambda args: RedeemGrant(manifest=MANIFEST, token="t", discovery=DISCOVERY, http_client_args=args),  # noqa: S106
    lambda args: RetrieveGrant(manifest=MANIFEST, redirect_uri="", discovery=DISCOVERY, http_client_args=args),
    lambda args: DeviceCodeGrant(manifest=MANIFEST, discovery=DISCOVERY, http_client_args=args),
    lambda args: OAuth2Auth("http://host/token", "id", "secret", http_client_args=args),
]


@pytest.mark.parametrize("construct", CONSTRUCTORS)
@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"headers": {"X-Token": f"{SECRET}\nX-Other: 1"}}, "header 'X-Token' contains a line break"),
        ({"headers": {"X-Token": f"{SECRET}\0"}}, "header 'X-Token' contains"),
        ({"headers": {"X-Token": f"{SECRET}é"}}, "header 'X-Token' contains"),
        ({"headers": {"X-Token": None}}, "header 'X-Token' must be a string, not NoneType"),
        ({"headers": {"X Token": "x"}}, "invalid header name 'X Token'"),
        ({"cookies": {"token": f"{SECRET}\r\nx"}}, "cookie 'token' contains a line break"),
    ],
)
def test_values_that_cannot_be_sent(construct: Callable[[Any], object], args: Any, problem: str) -> None:
    """They are rejected when the client or grant is created, with an error that does not contain the value."""
    with pytest.raises(ValueError, match=problem) as caught:
        construct(args)
    assert SECRET not in str(caught.value)


def test_credentials_in_the_url_are_not_logged(scripted: ScriptedService, caplog: pytest.LogCaptureFixture) -> None:
    """Credentials in service_url are sent as basic authentication, and no log record of any library contains them."""
    caplog.set_level(logging.DEBUG)
    url = scripted.url.replace("://", f"://joe:{SECRET}@")
    client = ThreadHeksherClient(url, 60, FEATURES, push=False)
    client.track_contexts(**ALL)
    with client:
        assert client.status.state == "fresh"
        assert SECRET not in repr(client)
    assert scripted.of(QUERY)[0].headers["Authorization"] == httpx.BasicAuth("joe", SECRET)._auth_header
    assert "HTTP Request: GET" in caplog.text
    assert SECRET not in caplog.text


def test_program_overrides_credentials_in_the_url(scripted: ScriptedService) -> None:
    """The argument auth of the program overrides the credentials in the URL."""
    url = scripted.url.replace("://", "://joe:pw@")
    client = ThreadHeksherClient(url, 60, FEATURES, push=False, http_client_args={"auth": ("ann", "pw")})
    client.track_contexts(**ALL)
    with client:
        assert scripted.of(QUERY)[0].headers["Authorization"] == httpx.BasicAuth("ann", "pw")._auth_header


def test_hooks_that_add_invalid_headers(scripted: ScriptedService, log: Log) -> None:
    """The value of a header that an event hook adds is in no error and no log record."""

    def add_token(request: httpx.Request) -> None:
        request.headers["X-Token"] = f"{SECRET}\n"

    args = {"event_hooks": {"request": [add_token]}}
    client = ThreadHeksherClient(scripted.url, 60, FEATURES, push=False, http_client_args=args)
    client.track_contexts(**ALL)
    with client:
        assert "a header contains a character that cannot be sent" in str(client.status.last_error)
    assert log.of("error during heksher update")
    assert SECRET not in log.caplog.text
