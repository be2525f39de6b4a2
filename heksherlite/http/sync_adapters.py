"""Adapters that let the asynchronous client use synchronous transports and event hooks."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from heksherlite.http.daemon_threads import run_in_daemon_thread


def async_http_client_args(http_client_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Adapt arguments for :class:`httpx.Client` to :class:`httpx.AsyncClient`.

    Synchronous transports and event hooks are called in worker threads.
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


class SyncTransportAdapter(httpx.AsyncBaseTransport):
    """A synchronous transport for an asynchronous client.

    Args:
        transport: The transport. It is called in a worker thread, and reads whole responses.
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in a worker thread."""
        # The body is in memory, so it can be read in both ways. The callback "trace" is asynchronous only.
        request.extensions = {name: value for name, value in request.extensions.items() if name != "trace"}
        response = await run_in_daemon_thread(self._send, request)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            content=response.read(),
            extensions={},
            request=request,
        )

    def _send(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        response.read()
        return response

    async def aclose(self) -> None:
        """Close the transport in a worker thread."""
        await run_in_daemon_thread(self._transport.close)


def _async_transport(transport: Any) -> httpx.AsyncBaseTransport:
    return transport if hasattr(transport, "handle_async_request") else SyncTransportAdapter(transport)


def _async_hook(hook: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    if inspect.iscoroutinefunction(hook):
        return hook

    async def run_hook(message: Any) -> None:
        if isinstance(message, httpx.Response):
            await message.aread()
        await run_in_daemon_thread(hook, message)

    return run_hook
