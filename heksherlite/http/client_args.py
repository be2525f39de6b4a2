"""The arguments of the HTTP clients of transports."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from heksherlite.http.redirects import only_safe_headers_elsewhere

STREAM: Final = "heksherlite.stream"
"""The request extension that marks streams, whose responses no hook may read as a whole."""


def with_stream(http_client_args: dict[str, Any]) -> dict[str, Any]:
    """Add a connection for the stream, and skip response hooks for streams, because they may read whole responses."""
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


def with_redirect_guard(http_client_args: dict[str, Any]) -> dict[str, Any]:
    """Keep credentials from other hosts if the program follows redirects."""
    if not http_client_args.get("follow_redirects"):
        return http_client_args
    hooks = http_client_args.get("event_hooks") or {}
    # Last, because the hooks of the program may add credentials.
    request_hooks = [*hooks.get("request", ()), only_safe_headers_elsewhere(http_client_args["base_url"])]
    return {**http_client_args, "event_hooks": {**hooks, "request": request_hooks}}


def _except_streams(hook: Callable[[httpx.Response], Awaitable[object]]) -> Callable[[httpx.Response], Awaitable[None]]:
    async def call(response: httpx.Response) -> None:
        if STREAM not in response.request.extensions:
            await hook(response)

    return call
