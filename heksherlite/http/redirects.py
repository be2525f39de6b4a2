"""Redirects to other hosts, which must not get the credentials of the program."""

from collections.abc import Awaitable, Callable
from typing import Final

import httpx

_SAFE_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "host",
        "if-none-match",
        "transfer-encoding",
        "user-agent",
    }
)
"""The headers that are sent to any host. Any other header may be a credential, such as ``api_token``."""


def only_safe_headers_elsewhere(base_url: httpx.URL) -> Callable[[httpx.Request], Awaitable[None]]:
    """Return a request hook that removes all other headers from requests that were redirected to another origin.

    httpx by itself only removes ``Authorization``.

    Args:
        base_url: The URL of the service.
    """

    async def remove_headers(request: httpx.Request) -> None:
        if not _is_same_origin(base_url, request.url):
            for name in set(request.headers) - _SAFE_HEADERS:
                del request.headers[name]

    return remove_headers


def _is_same_origin(url: httpx.URL, target: httpx.URL) -> bool:
    if url.host != target.host:
        return False
    ports = (_scheme_and_port(url), _scheme_and_port(target))
    return ports[0] == ports[1] or ports == (("http", 80), ("https", 443))


def _scheme_and_port(url: httpx.URL) -> tuple[str, int | None]:
    return url.scheme, url.port or {"http": 80, "https": 443}.get(url.scheme)
