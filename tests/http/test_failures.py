"""Requests that fail: the messages of the exceptions, and the log records of a client."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from heksherlite import ThreadHeksherClient
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import read_context_features
from heksherlite.errors import ServiceResponseError
from heksherlite.http.failures import describe_failure
from heksherlite.http.transport import ResponseLimits, Transport
from tests.sdk.conftest import ALL, Log
from tests.sdk.scripted_service import Scripted, scripted_service
from tests.service.api import FEATURES

LIMITS = ResponseLimits(response_timeout=10, max_body_size=1000)
REQUEST = Request("GET", "/api/health")


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the URL of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def failure(url: str, **args: object) -> Exception:
    """Return the exception of a request."""

    async def send() -> Exception:
        transport = Transport(url, args, LIMITS)
        (outcome,) = await transport.send_all([REQUEST])
        await transport.aclose()
        assert isinstance(outcome, Exception)
        return outcome

    return anyio.run(send)


def test_connection_refused() -> None:
    """The message contains the URL without credentials, and the reason."""
    error = failure("http://joe:hunter2@127.0.0.1:9")
    assert isinstance(error, httpx.ConnectError)
    assert str(error) == "cannot connect to http://127.0.0.1:9: Connection refused"


def test_no_response(silent: str) -> None:
    """An exception of httpx without a message gets one."""
    error = failure(silent, timeout=0.1)
    assert isinstance(error, httpx.ReadTimeout)
    assert str(error) == f"no response from {silent}: no data within the time limit"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx.ConnectTimeout(""), "cannot connect to http://host: no connection within the time limit"),
        (httpx.PoolTimeout(""), "cannot send a request to http://host: no free connection within the time limit"),
        (httpx.ReadError(""), "the request to http://host failed: ReadError"),
        (httpx.RemoteProtocolError("Server disconnected"), "the request to http://host failed: Server disconnected"),
        (httpx.UnsupportedProtocol("x of http://host"), "x of http://host"),
        (ValueError("x"), "x"),
    ],
)
def test_messages(error: Exception, message: str) -> None:
    """Each transport error names the URL once; other exceptions are unchanged."""
    assert describe_failure(error, "http://host") is error
    assert str(error) == message


def test_log_of_an_outage(log: Log) -> None:
    """A service that cannot be reached is one line with the URL, and the traceback is logged at DEBUG."""
    log.caplog.set_level(logging.DEBUG, "heksherlite")
    client = ThreadHeksherClient("http://127.0.0.1:9", 60, FEATURES, push=False)
    client.track_contexts(**ALL)
    with client:
        pass
    first, *others = log.of("error during heksher update")
    assert (first.levelname, first.exc_info) == ("ERROR", None)
    assert first.getMessage() == (
        "error during heksher update: cannot connect to http://127.0.0.1:9: Connection refused"
    )
    assert {record.levelname for record in others} == {"DEBUG"}
    assert others[0].exc_info is not None


def test_a_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service may be well when its proxy is not. The password of the proxy is not shown."""
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    through = "cannot connect to http://127.0.0.1:10 through the proxy http://127.0.0.1:9 of the environment: "
    assert str(failure("http://127.0.0.1:10")).startswith(through)
    assert "proxy" not in str(failure("http://127.0.0.1:10", trust_env=False))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert str(failure("http://127.0.0.1:10")).startswith("cannot connect to http://127.0.0.1:10: ")


def test_certificates_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable that names them is in the message."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/none.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with pytest.raises(OSError, match=r"the certificates cannot be loaded \(SSL_CERT_FILE=/.*none.pem\): "):
        failure("http://127.0.0.1:10")


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        (b"<title>Log\n in</title>", "text/html; charset=utf-8", "the response is the web page 'Log in', which is not"),
        (b"<p>", "text/html", "the response is a web page, which is not from a heksherlite service; check the URL"),
        ("schön\nund\x1b[1m gut".encode(), "text/plain", "schön und\ufffd[1m gut"),
        (b"", "text/html", "the response is empty"),
    ],
)
def test_a_status_that_is_not_expected(body: bytes, content_type: str, shown: str) -> None:
    """What a proxy or another server sent is shown as text, on one line."""
    with scripted_service() as service:
        service.script["/api/health"] = Scripted(body, 404, {"Content-Type": content_type})
        message = str(failure(service.url))
    assert message.startswith(f"unexpected status 404 Not Found for GET /api/health: {shown}")


def test_a_redirect_names_its_target() -> None:
    """Often, it is the same service with TLS. Redirects are not followed, because a token would be sent elsewhere."""
    with scripted_service() as service:
        service.script["/api/health"] = Scripted(
            b"", 308, {"Location": "https://user:pw@settings.example/api/health?x"}
        )
        message = str(failure(service.url))
    expected = "use the URL of the service to which this one redirects: https://settings.example/api/health"
    assert message.endswith(f"redirects are not followed; {expected}")


def test_a_web_page_in_place_of_json() -> None:
    """A page with status 200, such as one to log in, is called what it is."""
    page = Response(REQUEST, 200, b"<title>Log in</title>", media_type="text/html")
    with pytest.raises(ServiceResponseError, match="not JSON: the response is the web page 'Log in', which is not"):
        read_context_features(page)
