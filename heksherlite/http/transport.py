"""The transport of a client: sends the engine's requests to the service."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import httpx
from cachetools import LRUCache

from heksherlite.cancellation import is_cancellation, let_signals_pass
from heksherlite.engine.messages import Request, Response, unwrap
from heksherlite.http.client_args import STREAM, with_redirect_guard, with_stream
from heksherlite.http.compression import DECOMPRESSORS
from heksherlite.http.construction import checked_http_client_args, new_http_client
from heksherlite.http.failures import E, describe_failure
from heksherlite.http.forked import without_connections
from heksherlite.http.in_progress import RequestsInProgress
from heksherlite.http.json_bodies import json_body
from heksherlite.http.proxies import proxy_of
from heksherlite.http.responses import read_response, response_of
from heksherlite.http.sync_adapters import SyncTransportAdapter
from heksherlite.http.task_groups import start_soon
from heksherlite.http.transfers import ReadableFile, pieces_of, take_body
from heksherlite.http.urls import split_service_url

_CONCURRENT_REQUESTS: Final = 10
"""The maximum number of requests in progress."""

_IDLE_CONNECTIONS: Final = 2

_LIMITS: Final = httpx.Limits(max_keepalive_connections=_IDLE_CONNECTIONS)
"""Few idle connections, because each poll checks all of them, and polls need only one."""

_CACHED_URLS: Final = 16
"""The number of encoded URLs that are cached."""

_STREAM_CONNECT_TIMEOUT: Final = 10.0
_STREAM_READ_TIMEOUT: Final = 60.0
"""In seconds. The service sends something three times as often."""

_CODINGS: Final = ", ".join(DECOMPRESSORS)
"""The accepted content codings. Not those of httpx, which decompresses without limit."""


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """Limits for each response.

    Attributes:
        response_timeout: The time limit for a complete response, in seconds.
        max_body_size: The maximum size of a body in bytes, before and after decompression.

    Raises:
        ValueError: If a limit is not positive.
    """

    response_timeout: float
    max_body_size: int

    def __post_init__(self) -> None:
        for name in ("response_timeout", "max_body_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)!r}")


class Transport:
    """An HTTP client of one service. It connects on first use, and again after it was closed.

    Args:
        service_url: The base URL of the service, or None if there is no service. Credentials in it are sent as basic
            authentication, unless ``http_client_args`` has ``auth``. They are never displayed.
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        limits: The limits for each response.
        keep_alive: Whether connections are used for several requests. The service may close an idle one just when a
            request is sent, and nobody knows then whether it received the request.

    Raises:
        ValueError: If the URL is not the base URL of a service, or a header cannot be sent.
    """

    def __init__(
        self,
        service_url: str | None,
        http_client_args: Mapping[str, Any] | None,
        limits: ResponseLimits,
        *,
        keep_alive: bool = True,
    ) -> None:
        self._limits = limits
        self._keep_alive = keep_alive
        self._moved = False
        self._address(service_url, http_client_args)
        self._client: httpx.AsyncClient | None = None
        self._failure: Exception | None = None
        self._is_crowded = False
        self._listening: anyio.CancelScope | None = None
        self._in_progress = RequestsInProgress()
        self._urls: LRUCache[Hashable, httpx.URL] = LRUCache(_CACHED_URLS)

    def _address(self, service_url: str | None, http_client_args: Mapping[str, Any] | None) -> None:
        base_url, auth = (httpx.URL(), None) if service_url is None else _split(service_url)
        connections = _LIMITS if self._keep_alive else httpx.Limits(max_keepalive_connections=0)
        args = {"base_url": base_url, "limits": connections, "auth": auth, **checked_http_client_args(http_client_args)}
        self._http_client_args = with_redirect_guard(with_stream(args))
        self._service_url = service_url
        self._name = str(base_url)
        self._given_http_client_args = http_client_args

    def move(self, service_url: str, http_client_args: Mapping[str, Any] | None) -> None:
        """Send all later requests to another address, or with other arguments. May be called in any thread.

        The connections are closed before the next request.

        Raises:
            ValueError: If the URL is not the base URL of a service, or a header cannot be sent. Then nothing changes.
        """
        self._address(service_url, http_client_args)
        self._moved = True

    def again(self) -> "Transport":
        """Return a transport to the same service, with connections of its own unless the program passed a transport."""
        return Transport(self._service_url, self._given_http_client_args, self._limits, keep_alive=self._keep_alive)

    def copy(self) -> "Transport":
        """Return a transport to the same service for a forked process.

        It shares no connections with this one. If that is impossible, each of its requests raises a TypeError.
        """
        args = dict(self._given_http_client_args or {})
        failure: TypeError | None = None
        try:
            args["transport"] = without_connections(args.get("transport"))
            mounts = args.get("mounts") or {}
            args["mounts"] = {pattern: without_connections(mounted) for pattern, mounted in mounts.items()}
        except TypeError as error:
            failure = error
            args = {**args, "transport": None, "mounts": None}
        transport = Transport(self._service_url, args, self._limits, keep_alive=self._keep_alive)
        transport._failure = failure
        return transport

    def __str__(self) -> str:
        return self._name

    @property
    def is_offline(self) -> bool:
        """Whether there is no service."""
        return self._service_url is None

    @property
    def can_listen(self) -> bool:
        """Whether responses can be streamed. Synchronous transports read them whole."""
        args = self._http_client_args
        if self._is_crowded:
            return False
        transports = [args.get("transport"), *(args.get("mounts") or {}).values()]
        return not any(isinstance(transport, SyncTransportAdapter) for transport in transports)

    async def send(self, request: Request) -> Response:
        """Send one request and return its response.

        Raises:
            httpx.HTTPError: If the service is unreachable or its status is not an accepted one.
            ServiceResponseError: If the body is too large or malformed.
        """
        (response,) = await self.send_all([request])
        return unwrap(response)

    async def send_all(self, requests: Sequence[Request]) -> list[Response | Exception]:
        """Send requests concurrently, and return the outcome of each one in the same order.

        Returns:
            For each request its response, or the exception that :meth:`send` would raise.
        """
        client = await self._http_client()
        if len(requests) == 1:
            return [await self._try(client, requests[0])]
        results: dict[int, Response | Exception] = {}
        limiter = anyio.CapacityLimiter(_CONCURRENT_REQUESTS)

        async def send_one(index: int, request: Request) -> None:
            async with limiter:
                results[index] = await self._try(client, request)

        async with anyio.create_task_group() as tasks:
            for index, request in enumerate(requests):
                start_soon(tasks, send_one, index, request)
        return [results[index] for index in range(len(requests))]

    async def listen(self, request: Request, take: Callable[[bytes], object]) -> None:
        """Read a stream until it ends.

        Args:
            request: The request that opens the stream.
            take: Called with each chunk of the body. An exception that it raises ends the stream, and is raised.

        Raises:
            httpx.HTTPError: If the service is unreachable, its status is not an accepted one, or it sends nothing for
                a minute.
            ConnectionError: If the stream took the connection that other requests need.
        """
        try:
            with anyio.CancelScope() as self._listening:
                await self._listen(request, take)
        except httpx.TransportError as error:
            raise self._described(error)  # noqa: B904 - the same exception
        if self._listening.cancelled_caught:
            raise ConnectionError("the stream was closed because no connection was left for other requests")

    async def _listen(self, request: Request, take: Callable[[bytes], object]) -> None:
        client = await self._http_client()
        async with (
            self._in_progress.one(),
            client.stream(
                request.method,
                self._url(client.base_url, request),
                headers={"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"},
                timeout=httpx.Timeout(_STREAM_CONNECT_TIMEOUT, read=_STREAM_READ_TIMEOUT),
                extensions={STREAM: True},
            ) as response,
        ):
            response.raise_for_status()
            await take_body(response, take)

    async def download(self, request: Request, take: Callable[[bytes], object]) -> Response:
        """Send a request, and call a function with each piece of the body of its response.

        Args:
            request: The request.
            take: Called with each piece, if the status is 200. An exception that it raises ends the download, and is
                raised.

        Returns:
            The response. Its body is empty if the function got it.

        Raises:
            httpx.HTTPError: If the service is unreachable, sends nothing for a while, or its status is not an accepted
                one.
            ServiceResponseError: If the body of another status is too large or malformed.
        """
        return await self._transfer(request, take=take)

    async def upload(self, request: Request, file: ReadableFile) -> Response:
        """Send a request once, with the rest of a file as its body, and return the response.

        Raises:
            httpx.HTTPError: If the service is unreachable, does not respond for a while, or its status is not an
                accepted one.
            ServiceResponseError: If the body of the response is too large or malformed.
        """
        return await self._transfer(request, file=file)

    async def _transfer(
        self, request: Request, *, file: ReadableFile | None = None, take: Callable[[bytes], object] | None = None
    ) -> Response:
        client = await self._http_client()
        headers = {**request.headers, "Accept-Encoding": "identity"}
        try:
            async with (
                self._in_progress.one(),
                client.stream(
                    request.method,
                    self._url(client.base_url, request),
                    content=None if file is None else pieces_of(file),
                    headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                    extensions={STREAM: True},
                ) as response,
            ):
                if take is None or response.status_code != 200:
                    return await read_response(request, response, self._limits.max_body_size)
                await take_body(response, take)
                return response_of(request, response, b"")
        except httpx.TransportError as error:
            raise self._described(error)  # noqa: B904 - the same exception

    def _give_up_stream(self) -> None:
        """End the stream for good: a transport that the program passed has too few connections for it."""
        if self._listening is not None:
            self._is_crowded = True
            self._listening.cancel()

    async def aclose(self) -> None:
        """Close the connections. Requests that are in progress fail."""
        client, self._client = self._client, None
        if client is not None:
            in_progress, self._in_progress = self._in_progress, RequestsInProgress()
            await in_progress.end_others()
            await client.aclose()
            in_progress.cancel()

    async def _http_client(self) -> httpx.AsyncClient:
        if self.is_offline:
            raise RuntimeError("there is no service: service_url is None")
        if self._failure is not None:
            raise self._failure
        if self._moved:
            self._moved, self._is_crowded = False, False
            self._urls.clear()
            await self.aclose()
        if self._client is None:
            client = await new_http_client(self._http_client_args)
            if self._client is None:
                self._client = client
            else:  # another task was faster
                await client.aclose()
        return self._client

    async def _try(self, client: httpx.AsyncClient, request: Request) -> Response | Exception:
        try:
            with anyio.fail_after(self._limits.response_timeout):
                async with self._in_progress.one():
                    return await self._exchange(client, request)
        except TimeoutError as error:
            let_signals_pass(error)
            seconds = self._limits.response_timeout
            return httpx.ReadTimeout(f"no complete response to {request} within the response_timeout of {seconds} s")
        except Exception as error:  # noqa: BLE001 - the caller raises it
            let_signals_pass(error)
            if isinstance(error, httpx.PoolTimeout):
                self._give_up_stream()
            return self._described(error)
        except BaseException as error:
            let_signals_pass(error)
            if is_cancellation(error):
                raise
            # SystemExit, KeyboardInterrupt or CancelledError of a hook of the program: it must not end the updates.
            return RuntimeError(f"a hook or transport of the program raised {error!r}")

    def _described(self, error: E) -> E:
        return describe_failure(error, self._name, proxy_of(self._name, self._http_client_args))

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Response:
        url = self._url(client.base_url, request)
        headers = {**request.headers, "Accept-Encoding": _CODINGS}
        content = None
        if request.json is not None:
            headers["Content-Type"] = "application/json"
            content = json_body(request.json, str(request))
        attempts = 0
        while True:
            trace = _Trace()
            attempts += 1
            try:
                async with client.stream(
                    request.method, url, content=content, headers=headers, extensions={"trace": trace.note}
                ) as response:
                    return await read_response(request, response, self._limits.max_body_size)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if not request.repeatable or attempts > _IDLE_CONNECTIONS or not trace.met_closed_connection:
                    raise

    def _url(self, base_url: httpx.URL, request: Request) -> httpx.URL:
        # Cached, because encoding the names of a thousand settings takes longer than the rest of an idle poll.
        url = self._urls.get((request.path, request.params))
        if url is None:
            relative = request.path.lstrip("/") + (f"?{urlencode(request.params)}" if request.params else "")
            url = base_url.copy_with(raw_path=base_url.raw_path + relative.encode("ascii"))
            self._urls[request.path, request.params] = url
        return url


class _Trace:
    """The progress of a request, see https://www.encode.io/httpcore/extensions/#trace."""

    def __init__(self) -> None:
        self._events: set[str] = set()

    async def note(self, event: str, _: Any) -> None:
        """Record an event."""
        self._events.add(event.partition(".")[2])

    @property
    def met_closed_connection(self) -> bool:
        """Whether the request was sent on an idle connection that the service was closing, so it may be sent again.

        (RFC 9112, section 9.3.1. All repeatable requests are idempotent.)
        """
        return (
            "send_request_headers.started" in self._events
            and not any(event.startswith("connect_") for event in self._events)
            and "receive_response_headers.complete" not in self._events
        )


def _split(service_url: str) -> tuple[httpx.URL, tuple[str, str] | None]:
    base_url, auth = split_service_url(service_url)
    try:
        return httpx.URL(base_url), auth
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"service_url is not a URL: {base_url!r}: {error}") from None
