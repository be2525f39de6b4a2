"""Requests that fail: the messages of the exceptions, and the log records of a client."""

import logging
import socket
from collections.abc import Iterator

import anyio
import httpx
import pytest

from heksherlite import ThreadHeksherClient
from heksherlite.engine.messages import Request
from heksherlite.http.failures import describe_failure
from heksherlite.http.transport import ResponseLimits, Transport
from tests.sdk.conftest import ALL, Log
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
