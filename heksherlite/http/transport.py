"""HTTP: sends the engine's requests. The only module of the SDK that imports httpx."""

import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import orjson
from cachetools import LRUCache

from heksherlite.engine.messages import Request, Response, unwrap
from heksherlite.errors import ServiceResponseError
from heksherlite.http.compression import DECOMPRESSORS, decompressed

_AT_ONCE: Final = 10
"""How many requests are under way side by side."""

_KEPT_CONNECTIONS: Final = 2

_LIMITS: Final = httpx.Limits(max_keepalive_connections=_KEPT_CONNECTIONS)
"""After many declarations, only polls remain, and each of them would look after all the idle connections."""

_URLS: Final = 16
"""How many URLs are kept for the next time."""

_LONGEST_TAG: Final = 1000
"""How many characters of a tag are sent back. There are limits for headers."""

_MONITOR: Final = 'rel="monitor"'
"""What a service with a stream of changes says in Link headers, see RFC 5989."""

_CONNECTING: Final = 10.0
_SILENCE: Final = 60.0
"""How many seconds a stream may take to be opened, and be silent: three times as long as the service is."""

_STREAM: Final = "heksherlite.stream"
"""The extension of requests for streams."""

_CODINGS: Final = ", ".join(DECOMPRESSORS)
"""What responses may be compressed in. Not what httpx would accept, because it decompresses without limit."""


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """What a response may take.

    Attributes:
        response_timeout: Seconds until a whole response has to be there.
        max_body_size: Bytes that its body may have, as it was sent and decompressed.

    Raises:
        ValueError: If one of them is not positive.
    """

    response_timeout: float
    max_body_size: int

    def __post_init__(self) -> None:
        for name in ("response_timeout", "max_body_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)!r}")


class Transport:
    """The connection to one service. Connects when it is first used, and again after it was closed.

    Args:
        service_url: The URL that the API's paths are below; None if there is no service, and nothing to be asked.
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        limits: What is too much.

    Raises:
        ValueError: If the URL is not an HTTP URL.
    """

    def __init__(
        self, service_url: str | None, http_client_args: Mapping[str, Any] | None, limits: ResponseLimits
    ) -> None:
        self._limits = limits
        self._service_url = service_url
        url = httpx.URL() if service_url is None else _checked(service_url)
        self._name = _without_secrets(url)
        self._given_http_client_args = http_client_args
        self._http_client_args = _with_stream({"base_url": url, "limits": _LIMITS, **(http_client_args or {})})
        self._client: httpx.AsyncClient | None = None
        self._is_crowded = False
        self._listening: anyio.CancelScope | None = None
        self._urls: LRUCache[Hashable, httpx.URL] = LRUCache(_URLS)

    def anew(self) -> "Transport":
        """Return another connection to the same service."""
        return Transport(self._service_url, self._given_http_client_args, self._limits)

    def __str__(self) -> str:
        return self._name

    @property
    def is_offline(self) -> bool:
        """Whether there is no service."""
        return self._service_url is None

    @property
    def can_listen(self) -> bool:
        """Whether responses can be read while they arrive. What is only made for synchronous use reads them whole."""
        args = self._http_client_args
        if self._is_crowded:
            return False
        transports = [args.get("transport"), *(args.get("mounts") or {}).values()]
        return not any(isinstance(transport, _InWorkerThread) for transport in transports)

    async def send(self, request: Request) -> Response:
        """Send one request and return its response; what went wrong is raised."""
        (response,) = await self.send_all([request])
        return unwrap(response)

    async def send_all(self, requests: Sequence[Request]) -> list[Response | Exception]:
        """Send requests side by side, and return what became of each: its response, or what was raised.

        That is an :class:`httpx.HTTPError` if the service was unreachable or its status is not an accepted one.
        """
        client = await self._connected_client()
        if len(requests) == 1:
            return [await self._try(client, requests[0])]
        results: dict[int, Response | Exception] = {}
        turn = anyio.CapacityLimiter(_AT_ONCE)

        async def send_one(index: int, request: Request) -> None:
            async with turn:
                results[index] = await self._try(client, request)

        async with anyio.create_task_group() as tasks:
            for index, request in enumerate(requests):
                tasks.start_soon(send_one, index, request)
        return [results[index] for index in range(len(requests))]

    async def listen(self, request: Request, take: Callable[[bytes], object]) -> None:
        """Hand over the body of an endless response, piece by piece, until it ends, or is silent for a minute.

        Args:
            request: What to ask for.
            take: Called with each piece. What it raises ends this, and is raised.

        Raises:
            httpx.HTTPError: If the service is unreachable, or its status is not an accepted one.
            ConnectionError: If the stream kept other requests from being sent.
        """
        with anyio.CancelScope() as self._listening:
            await self._listen(request, take)
        if self._listening.cancelled_caught:
            raise ConnectionError("there is no connection left for anything else than the stream")

    async def _listen(self, request: Request, take: Callable[[bytes], object]) -> None:
        client = await self._connected_client()
        refusal: Exception | None = None
        async with client.stream(
            request.method,
            self._url(client.base_url, request),
            headers={"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"},
            timeout=httpx.Timeout(_CONNECTING, read=_SILENCE),
            extensions={_STREAM: True},
        ) as response:
            response.raise_for_status()
            with anyio.CancelScope() as scope:
                async for piece in response.aiter_raw():
                    try:
                        if refusal is None:
                            take(piece)
                    except Exception as error:  # noqa: BLE001 - raised below; see _body
                        refusal = error
                        scope.cancel()
                    # There may be many pieces in what was received at once, and the program has its own to do.
                    await anyio.lowlevel.cancel_shielded_checkpoint()
        if refusal is not None:
            raise refusal

    def _make_room(self) -> None:
        """End the stream, for good: a transport that the program gave has too few connections for one."""
        if self._listening is not None:
            self._is_crowded = True
            self._listening.cancel()

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _connected_client(self) -> httpx.AsyncClient:
        if self.is_offline:
            raise RuntimeError("there is no service to be asked: service_url is None")
        if self._client is None:
            # In a worker thread, because reading the certificates takes tens of milliseconds.
            client = await anyio.to_thread.run_sync(partial(httpx.AsyncClient, **self._http_client_args))
            if self._client is None:
                self._client = client
            else:  # another task was quicker
                await client.aclose()
        return self._client

    async def _try(self, client: httpx.AsyncClient, request: Request) -> Response | Exception:
        try:
            with anyio.fail_after(self._limits.response_timeout):
                return await self._exchange(client, request)
        except TimeoutError:
            seconds = self._limits.response_timeout
            return httpx.ReadTimeout(f"no whole response to {request} within the response_timeout of {seconds} s")
        except Exception as error:  # noqa: BLE001 - handed to the caller, which raises it
            if isinstance(error, httpx.PoolTimeout):
                self._make_room()
            return error

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Response:
        url = self._url(client.base_url, request)
        headers = {**request.headers, "Accept-Encoding": _CODINGS}
        content = None
        if request.json is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(request.json)
        attempts = 0
        while True:
            course = _Course()
            attempts += 1
            try:
                async with client.stream(
                    request.method, url, content=content, headers=headers, extensions={"trace": course.note}
                ) as response:
                    return await self._read(request, response)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if attempts > _KEPT_CONNECTIONS or not course.met_closed_connection:
                    raise

    async def _read(self, request: Request, response: httpx.Response) -> Response:
        try:
            body = await self._body(response)
        except ValueError as error:
            raise ServiceResponseError(str(request), str(error)) from None
        headers = response.headers
        if response.status_code not in request.accept:
            status = f"{response.status_code} {response.reason_phrase}"
            message = f"unexpected status {status} for {request}: {body[:200]!r}"
            kept = httpx.Response(
                response.status_code, headers=_uncoded(headers), content=body, request=response.request
            )
            raise httpx.HTTPStatusError(message, request=response.request, response=kept)
        media_type, _, _ = headers.get("Content-Type", "").partition(";")
        offers_stream = _MONITOR in headers.get("Link", "")
        return Response(request, response.status_code, body, _tag(headers), media_type.strip(), offers_stream)

    async def _body(self, response: httpx.Response) -> bytes:
        """Return the body; raise a ValueError if it is too large, or malformed."""
        if response.is_stream_consumed:  # by an event hook
            self._check_size(response.content)
            return response.content
        sent = bytearray()
        with anyio.CancelScope() as scope:
            async for piece in response.aiter_raw():
                sent += piece
                if len(sent) > self._limits.max_body_size:
                    # To leave the loop here would leave generators of httpx half-way, which trio warns of.
                    scope.cancel()
        self._check_size(sent)
        coding = response.headers.get("Content-Encoding", "")
        if not coding:
            return bytes(sent)
        content = bytearray()
        for piece in decompressed(bytes(sent), coding):
            content += piece
            self._check_size(content)
            await anyio.lowlevel.checkpoint()
        return bytes(content)

    def _check_size(self, body: Sized) -> None:
        if len(body) > self._limits.max_body_size:
            raise ValueError(f"larger than the max_body_size of {self._limits.max_body_size} bytes")

    def _url(self, base_url: httpx.URL, request: Request) -> httpx.URL:
        # Kept, because encoding the names of a thousand settings takes longer than all the rest of an idle poll.
        url = self._urls.get((request.path, request.params))
        if url is None:
            relative = request.path.lstrip("/") + (f"?{urlencode(request.params)}" if request.params else "")
            url = base_url.copy_with(raw_path=base_url.raw_path + relative.encode("ascii"))
            self._urls[request.path, request.params] = url
        return url


class _Course:
    """How far a request got, see https://www.encode.io/httpcore/extensions/#trace."""

    def __init__(self) -> None:
        self._events: set[str] = set()

    async def note(self, event: str, _: Any) -> None:
        """Note an event."""
        self._events.add(event.partition(".")[2])

    @property
    def met_closed_connection(self) -> bool:
        """Whether it was sent over a connection from before, which the service was just closing: it may be sent again.

        (RFC 9112, section 9.3.1. All the requests of the SDK are idempotent.)
        """
        return (
            "send_request_headers.started" in self._events
            and not any(event.startswith("connect_") for event in self._events)
            and "receive_response_headers.complete" not in self._events
        )


def _tag(headers: httpx.Headers) -> str | None:
    """Return the tag, if it is one that can be sent back; another one would make all later requests fail."""
    tags = headers.get_list("ETag")
    tag = tags[0] if len(tags) == 1 else ""
    return tag if tag.isascii() and tag.isprintable() and 0 < len(tag) <= _LONGEST_TAG else None


def _uncoded(headers: httpx.Headers) -> httpx.Headers:
    about_the_body = {"content-encoding", "content-length", "transfer-encoding"}
    return httpx.Headers([item for item in headers.multi_items() if item[0].lower() not in about_the_body])


def retry_after(error: Exception) -> float | None:
    """Return after how many seconds a service wants to be asked again that answered with an error."""
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    value = error.response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ArithmeticError, LookupError, TypeError, ValueError):  # whatever the service wrote there
        return None


def _checked(service_url: str) -> httpx.URL:
    try:
        url = httpx.URL(service_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"service_url is not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"service_url must be like 'http://host:port', not {_without_secrets(url)!r}")
    return url


def _without_secrets(url: httpx.URL) -> str:
    return str(url.copy_with(username=None, password=None))


def _with_stream(http_client_args: dict[str, Any]) -> dict[str, Any]:
    """Make room for a connection that stays open, and keep response hooks, which may read responses whole, from it."""
    limits = http_client_args["limits"]
    if limits.max_connections is not None:
        limits = httpx.Limits(
            max_connections=limits.max_connections + 1,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
        )
    hooks = http_client_args.get("event_hooks") or {}
    response_hooks = [_except_streams(hook) for hook in hooks.get("response", ())]
    return {**http_client_args, "limits": limits, "event_hooks": {**hooks, "response": response_hooks}}


def _except_streams(hook: Callable[[httpx.Response], Awaitable[object]]) -> Callable[[httpx.Response], Awaitable[None]]:
    async def call(response: httpx.Response) -> None:
        if _STREAM not in response.request.extensions:
            await hook(response)

    return call


def args_for_async(http_client_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Adapt arguments that were meant for :class:`httpx.Client` to :class:`httpx.AsyncClient`.

    Transports that can only be called synchronously are called in worker threads, and so are event hooks.
    """
    args = dict(http_client_args or {})
    if args.get("transport") is not None:
        args["transport"] = _async_transport(args["transport"])
    if args.get("mounts"):
        args["mounts"] = {
            pattern: None if transport is None else _async_transport(transport)
            for pattern, transport in args["mounts"].items()
        }
    if args.get("event_hooks"):
        args["event_hooks"] = {
            event: [_async_hook(hook) for hook in hooks] for event, hooks in args["event_hooks"].items()
        }
    return args


def _async_transport(transport: Any) -> httpx.AsyncBaseTransport:
    return transport if hasattr(transport, "handle_async_request") else _InWorkerThread(transport)


def _async_hook(hook: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    if inspect.iscoroutinefunction(hook):
        return hook

    async def run_hook(message: Any) -> None:
        if isinstance(message, httpx.Response):
            await message.aread()
        await anyio.to_thread.run_sync(hook, message)

    return run_hook


class _InWorkerThread(httpx.AsyncBaseTransport):
    """A synchronous transport, for an asynchronous client."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # The body is in memory, so the request can be read in both ways. What is called during it, only in one.
        request.extensions = {name: value for name, value in request.extensions.items() if name != "trace"}
        response = await anyio.to_thread.run_sync(self._answer, request, abandon_on_cancel=True)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            content=response.read(),
            extensions={},
            request=request,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        response.read()
        return response

    async def aclose(self) -> None:
        await anyio.to_thread.run_sync(self._transport.close)
