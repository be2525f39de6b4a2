"""The HTTP client of remote grants and of the service: sends requests to endpoints."""

import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import anyio
import httpx
import orjson

from heksherlite.errors import RemoteGrantError
from heksherlite.http.bodies import BodyTooLargeError, read_raw_body
from heksherlite.http.construction import new_http_client
from heksherlite.http.failures import tls_failure
from heksherlite.http.proxies import proxy_of
from heksherlite.http.retry_after import parse_retry_after
from heksherlite.http.urls import shown_url
from heksherlite.secret import Secret

_MAX_BODY_SIZE: Final = 16 * 2**20
"""In bytes."""

REQUEST_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
"""The exceptions of a request. For a malformed host name such as ``xn--a``, httpx raises the exceptions of idna."""


_STREAM_READ_TIMEOUT: Final = 60.0
"""The maximum number of seconds without anything from a stream. The service sends something three times as often."""


class StreamRefusedError(Exception):
    """A response is no stream. It never leaves this module.

    Args:
        reason: What it is instead.
        status: Its HTTP status.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """A response of an endpoint.

    Attributes:
        url: The URL of the request, without secrets.
        status: The HTTP status.
        content: The body.
        retry_after: The number of seconds to wait before the next request.
    """

    url: str
    status: int
    content: bytes = field(repr=False)  # tracebacks may display it
    retry_after: float = 0


class EndpointClient:
    """Sends requests to endpoints. It does not follow redirects, so that tokens are only sent where they belong.

    Args:
        client: The HTTP client.
        timeout: The time limit for a complete response, in seconds.
        args: The arguments of the client.
    """

    def __init__(self, client: httpx.AsyncClient, timeout: float, args: Mapping[str, Any] | None = None) -> None:
        self._client = client
        self._timeout = timeout
        self._args = args

    def again(self) -> AbstractAsyncContextManager["EndpointClient"]:
        """Return a context manager for a client with the same arguments, when this one may be closed."""
        return endpoint_client(self._args, self._timeout)

    async def send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        *,
        form: Mapping[str, str] | None = None,
        authorization: Secret | None = None,
        error: type[RemoteGrantError],
    ) -> EndpointResponse:
        """Send a request and return its response.

        Args:
            method: The HTTP method.
            url: The URL.
            body: The body, sent as JSON. Each :class:`Secret` in it is sent as its value.
            form: The body, sent as a form instead.
            authorization: The value of the header ``Authorization``.
            error: The type of the exception to raise.

        Raises:
            RemoteGrantError: If there is no response, or it is a redirect, compressed or too large.
        """
        shown = shown_url(url)
        try:
            with anyio.fail_after(self._timeout):
                return await self._exchange(self._request(method, url, body, form, authorization), shown, error)
        except REQUEST_ERRORS as failure:
            reason = request_error_reason(failure, self._timeout, proxy_of(url, self._args or {}))
            rejected = isinstance(tls_failure(failure), ssl.SSLCertVerificationError)
        # Raised here without its cause, because the frames of the cause contain the body.
        raised = error(shown, reason)
        raised.certificate_rejected = rejected
        raise raised

    async def listen(
        self, url: str, authorization: Secret, take: Callable[[bytes], bool], *, error: type[RemoteGrantError]
    ) -> None:
        """Read a stream of server-sent events until it ends or enough was read.

        Args:
            url: The URL of the stream.
            authorization: The value of the header ``Authorization``.
            take: Called with each chunk. It returns whether enough was read.
            error: The type of the exception to raise.

        Raises:
            RemoteGrantError: If there is no stream, or nothing arrives for a minute. Its attribute ``status`` is the
                HTTP status of another response.
        """
        shown = shown_url(url)
        request = self._client.build_request(
            "GET",
            url,
            headers={
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
                "Authorization": authorization.reveal(),
            },
            timeout=httpx.Timeout(self._timeout, read=_STREAM_READ_TIMEOUT),
        )
        try:
            response = await self._client.send(request, stream=True, follow_redirects=False)
            try:
                if response.status_code != 200:
                    status = describe_status(EndpointResponse(shown, response.status_code, b""))
                    raise StreamRefusedError(status, response.status_code)
                async for chunk in response.aiter_raw():
                    if take(chunk):
                        return
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
        except StreamRefusedError as refused:
            raised, raised_status = error(shown, str(refused)), refused.status
        except REQUEST_ERRORS as failure:
            proxy = proxy_of(url, self._args or {})
            raised, raised_status = error(shown, request_error_reason(failure, _STREAM_READ_TIMEOUT, proxy)), None
        else:
            raised, raised_status = error(shown, "the stream has ended"), None
        # Raised here without its cause, because the frames of the cause contain the token.
        raised.status = raised_status
        raise raised

    def _request(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        form: Mapping[str, str] | None,
        authorization: Secret | None,
    ) -> httpx.Request:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if authorization is not None:
            headers["Authorization"] = authorization.reveal()
        if form is not None:
            return self._client.build_request(method, url, data=form, headers=headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._client.build_request(method, url, content=_encode(body), headers=headers)

    async def _exchange(self, request: httpx.Request, shown: str, error: type[RemoteGrantError]) -> EndpointResponse:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if response.is_redirect:
                target = shown_url(response.headers.get("Location", "")) or "an unknown URL"
                raise error(shown, f"redirects to {target} are not followed; use that URL if it is the right one")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise error(shown, "the response is compressed although that was not requested")
            content = await read_raw_body(response, _MAX_BODY_SIZE)
        except BodyTooLargeError:
            raise error(shown, f"the response is larger than {_MAX_BODY_SIZE:,} bytes") from None
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        retry_after = parse_retry_after(response.headers.get("Retry-After", ""))
        return EndpointResponse(shown, response.status_code, content, retry_after or 0)


@asynccontextmanager
async def endpoint_client(
    http_client_args: Mapping[str, Any] | None, response_timeout: float
) -> AsyncIterator[EndpointClient]:
    """Return a context manager for an :class:`EndpointClient`, which it closes at the end.

    Args:
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        response_timeout: The time limit for a complete response, in seconds.
    """
    client = await new_http_client({"timeout": response_timeout, **(http_client_args or {})})
    try:
        yield EndpointClient(client, response_timeout, http_client_args)
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


def basic_authorization(user: str, password: str) -> str:
    """Return the value of the header ``Authorization`` with the credentials of an OAuth2 client (RFC 6749, 2.3.1)."""
    credentials = f"{quote_plus(user)}:{quote_plus(password)}"
    return f"Basic {b64encode(credentials.encode()).decode()}"


def describe_status(response: EndpointResponse) -> str:
    """Return the HTTP status for an error message."""
    phrase = httpx.codes.get_reason_phrase(response.status)
    return f"status {response.status} {phrase}".strip()


def request_error_reason(error: Exception, timeout: float, proxy: str | None = None) -> str:
    """Return why a request failed, without the data that was sent.

    Args:
        error: One of `REQUEST_ERRORS`.
        timeout: The time limit of the request, in seconds.
        proxy: The URL of the proxy, without secrets, or ``None`` if there is none.
    """
    if isinstance(error, TimeoutError):
        return f"no response within {timeout:g} s"
    if isinstance(error, OSError) and error.errno:  # such as a missing certificate file
        return os.strerror(error.errno)
    if isinstance(error, httpx.InvalidURL):
        return str(error)
    message = str(error) or str(tls_failure(error) or "")  # trio does not repeat it
    reason = f"{type(error).__name__}: {message}".removesuffix(": ")
    return f"{reason} (through the proxy {proxy} of the environment)" if proxy else reason


def _encode(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else orjson.dumps(body, default=_reveal)


def _reveal(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be sent")
