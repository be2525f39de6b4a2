"""Headers that restrict what browsers and caches do with a response."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CACHE_CONTROL: Final = "private, no-cache"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": _CACHE_CONTROL,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_ALL: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_OF_NOT_MODIFIED: Final = [(b"cache-control", _CACHE_CONTROL.encode())]


class SecurityHeadersMiddleware:
    """Adds the security headers that a response does not set itself.

    Most responses are 304. Those only receive ``Cache-Control``; the other headers remain in force from the cached
    response.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                headers = _OF_NOT_MODIFIED if message["status"] == 304 else _ALL
                added = [header for header in headers if header[0] not in present]
                if added:
                    message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
