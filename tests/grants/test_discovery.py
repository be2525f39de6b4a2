"""Discovery of endpoints by their URLs: valid, missing, malformed and hostile ones."""

import ssl
from typing import Any

import anyio
import pytest
import trustme

from heksherlite.errors import DiscoveryError
from heksherlite.grants import Endpoint, StaticDiscovery, StaticGrant, WellKnownDiscovery
from tests.grants.endpoint import CONFIG, WELL_KNOWN, Scripted, ScriptedEndpoint
from tests.grants.loads import loaded

TOKEN = "static-token"  # noqa: S105


def discover(url: str, **options: Any) -> Endpoint:
    """Return the endpoint at a URL."""
    return anyio.run(WellKnownDiscovery(url=url, **{"timeout": 30, **options}).adiscover)


def without_protocol(url: str) -> str:
    return url.partition("://")[2]


def test_endpoint_description(endpoint: ScriptedEndpoint) -> None:
    """All members of the description are read, and unknown members are ignored."""
    description: dict[str, Any] = {
        "name": "n",
        "base_url": "https://host/f",
        "description": "d",
        "retrieve_url": "https://host/r",
        "claim_url": "https://host/c",
        "version": "1",
    }
    endpoint.script[WELL_KNOWN] = Scripted({**description, "other": [1]})
    assert discover(endpoint.url) == Endpoint(**{**description, "base_url": "https://host/f/"})
    assert [(request.method, request.path) for request in endpoint.received] == [("GET", WELL_KNOWN)]


@pytest.mark.parametrize("suffix", ["", "/"])
def test_trailing_slash(suffix: str, endpoint: ScriptedEndpoint) -> None:
    """A trailing slash of the URL makes no difference."""
    assert discover(endpoint.url + suffix).base_url == endpoint.base_url


def test_url_with_a_path(endpoint: ScriptedEndpoint) -> None:
    """The well-known path is appended to the whole URL."""
    endpoint.script["/app" + WELL_KNOWN] = Scripted({"name": "app", "base_url": endpoint.base_url})
    assert discover(f"{endpoint.url}/app").name == "app"


def test_allow_appending_slash(endpoint: ScriptedEndpoint) -> None:
    """If the path without a slash does not exist, the path with a slash is tried if that is allowed."""
    endpoint.script[WELL_KNOWN] = Scripted(status=404)
    endpoint.script[WELL_KNOWN + "/"] = Scripted({"name": "slash", "base_url": endpoint.base_url})
    assert discover(endpoint.url).name == "slash"
    with pytest.raises(DiscoveryError, match="status 404 Not Found"):
        discover(endpoint.url, allow_appending_slash=False)


def test_schemes_are_tried(endpoint: ScriptedEndpoint, secure: ScriptedEndpoint, authority: trustme.CA) -> None:
    """For a URL without a scheme, HTTPS is tried before HTTP."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert discover(without_protocol(endpoint.url)).base_url == endpoint.base_url
    found = discover(without_protocol(secure.url), http_client_args={"verify": context})
    assert found.base_url == secure.base_url
    with pytest.raises(DiscoveryError, match="no endpoint was found by any scheme") as caught:
        discover("127.0.0.1:9", auto_protocols=["https", "http"])
    https, http = caught.value.causes
    assert str(https).startswith("https://127.0.0.1:9/.well-known/fakts: ConnectError")
    assert str(http).startswith("http://127.0.0.1:9/.well-known/fakts: ConnectError")


def test_a_rejected_certificate_is_final(endpoint: ScriptedEndpoint, secure: ScriptedEndpoint) -> None:
    """HTTP is not tried after the certificate of the endpoint was rejected, not even on this machine."""
    host = without_protocol(secure.url)
    with pytest.raises(DiscoveryError) as caught:
        discover(host)
    assert caught.value.certificate_rejected
    assert caught.value.url.startswith("https://")
    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.reason
    assert secure.received == endpoint.received == []


@pytest.mark.parametrize(
    "url", ["192.0.2.1:1", "host.invalid", "localhost.invalid:80", "127.0.0.1.invalid", "[2001:db8::1]"]
)
def test_http_is_not_tried_for_other_machines(url: str) -> None:
    """A URL without a scheme is HTTPS only, unless the host is this machine, and the error says what to write."""
    assert WellKnownDiscovery(url=url)._urls() == [f"https://{url}"]
    with pytest.raises(DiscoveryError, match=r"HTTP is not tried for another machine.*write http://") as caught:
        discover(url, timeout=0.2)
    assert caught.value.url.startswith("https://")


@pytest.mark.parametrize("url", ["127.0.0.1:80", "127.1.2.3", "localhost:8888/x", "app.localhost", "[::1]:80"])
def test_http_is_tried_for_this_machine(url: str) -> None:
    """HTTP is tried after HTTPS if the host is this machine."""
    assert WellKnownDiscovery(url=url)._urls() == [f"https://{url}", f"http://{url}"]


def test_explicit_http() -> None:
    """HTTP is used for any host if the program asks for it first, or writes it in the URL."""
    assert WellKnownDiscovery(url="host", auto_protocols=["http"])._urls() == ["http://host"]
    assert WellKnownDiscovery(url="http://host")._urls() == ["http://host"]


def test_https(secure: ScriptedEndpoint, authority: trustme.CA) -> None:
    """Facts are claimed by HTTPS with the certificate of the authority, and nothing is sent without it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    args = {"verify": context}
    discovery = WellKnownDiscovery(url=secure.url, http_client_args=args)
    assert loaded(StaticGrant(token=TOKEN, discovery=discovery, http_client_args=args)) == CONFIG
    with pytest.raises(DiscoveryError, match="CERTIFICATE_VERIFY_FAILED"):
        discover(secure.url)


@pytest.mark.parametrize("member", ["base_url", "claim_url", "retrieve_url"])
def test_downgrade_to_http(member: str, secure: ScriptedEndpoint, authority: trustme.CA) -> None:
    """An endpoint that was discovered by HTTPS must not have tokens sent by HTTP."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    body = {"name": "x", "base_url": secure.base_url, member: "http://127.0.0.1/f/"}
    secure.script[WELL_KNOWN] = Scripted(body)
    with pytest.raises(DiscoveryError, match=r"it leads from HTTPS to http://127\.0\.0\.1/f/"):
        discover(secure.url, http_client_args={"verify": context})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted({}), "the response has no 'name'"),
        (Scripted({"base_url": "http://host/"}), "the response has no 'name'"),
        (Scripted({"name": "", "base_url": "http://host/"}), "the response has no 'name'"),
        (Scripted({"name": 1, "base_url": "http://host/"}), "'name' must be a string, not a value of type int"),
        (Scripted({"name": "x"}), "the response has no 'base_url'"),
        (Scripted({"name": "x", "base_url": None}), "the response has no 'base_url'"),
        (Scripted({"name": "x", "base_url": "/f/"}), "expected a URL like 'https://host:port', not '/f/'"),
        (Scripted({"name": "x", "base_url": "file:///etc"}), "a URL like"),
        (
            Scripted({"name": "x", "base_url": "http://[::1"}),
            "expected a URL like 'https://host:port', not 'http://[::1'",
        ),
        (
            Scripted({"name": "x", "base_url": "http://u:hunter2@host/\n"}),
            "expected a URL like 'https://host:port'",
        ),
        (Scripted({"name": "x", "base_url": "http://host/", "claim_url": "javascript:x"}), "a URL like"),
        (
            Scripted({"name": "x", "base_url": "http://host/", "claim_url": ["x"]}),
            "'claim_url' must be a string",
        ),
        (Scripted([{"name": "x"}]), "the response must be an object, not a value of type list"),
        (Scripted(b"<html>hunter2"), "the response is not JSON"),
        (Scripted(b"hunter2", 500), "status 500 Internal Server Error"),
        (Scripted(status=302, headers={"location": "http://other/"}), "redirects to http://other/"),
        (
            Scripted(status=302, headers={"location": "http://u:hunter2@other/?hunter2#hunter2"}),
            "http://other/ are",
        ),
    ],
)
def test_malformed_descriptions(response: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """The error names the URL and the problem of the response."""
    endpoint.script[WELL_KNOWN] = response
    with pytest.raises(DiscoveryError) as caught:
        discover(endpoint.url)
    assert str(caught.value).startswith(f"{endpoint.url}{WELL_KNOWN}: ")
    assert reason in caught.value.reason
    assert "hunter2" not in str(caught.value)


def test_malformed_urls() -> None:
    """Malformed URLs are rejected when the discovery is created, and credentials are not displayed."""
    for url in ("", "http://", "ftp://host", "https://user:hunter2@:1", "http://host:port"):
        with pytest.raises(ValueError, match=r"URL|[Pp]ort") as caught:
            WellKnownDiscovery(url=url)
        assert "hunter2" not in str(caught.value)
    for url in ("https://user:hunter2@host/", "user:hunter2@host", "https://hunter2@host"):
        with pytest.raises(ValueError, match="expected a URL without credentials") as caught:
            WellKnownDiscovery(url=url)
        assert "hunter2" not in str(caught.value)
    for url in ("user:hunter2@host:80", "//user:hunter2@host", "hunter2@host"):
        with pytest.raises(ValueError, match=r"expected a URL like 'https://host:port', not '.*host") as caught:
            StaticDiscovery(base_url=url)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="has no scheme, and auto_protocols is empty"):
        WellKnownDiscovery(url="host", auto_protocols=[])


def test_scheme_in_capital_letters(secure: ScriptedEndpoint, authority: trustme.CA) -> None:
    """HTTPS in capital letters is as safe as https."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    secure.script[WELL_KNOWN] = Scripted({"name": "x", "base_url": "http://127.0.0.1/f/"})
    with pytest.raises(DiscoveryError, match="it leads from HTTPS to http:"):
        discover(secure.url.replace("https", "HTTPS"), http_client_args={"verify": context})
    secure.script[WELL_KNOWN] = Scripted({"name": "x", "base_url": secure.base_url.replace("https", "HTTPS")})
    assert discover(secure.url, http_client_args={"verify": context}).name == "x"


def test_malformed_host_names() -> None:
    """A host name that httpx rejects is a discovery error, whatever its source."""
    for host in ("xn--a", "xn--", "a..b"):
        with pytest.raises(DiscoveryError):
            discover(f"http://{host}")


def test_static_discovery() -> None:
    """A static endpoint is used as it is, without any request."""
    for url in ("http://host/f", "http://host/f/"):
        endpoint = anyio.run(StaticDiscovery(base_url=url).adiscover)
        assert endpoint.url("claim") == "http://host/f/claim/"
