"""Headers that tell browsers and caches to be careful with every answer."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CACHE_CONTROL = "private, no-cache"

SECURITY_HEADERS: Mapping[str, str] = {
    "cache-control": _CACHE_CONTROL,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_ENCODED = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_FOR_CACHES = [(b"cache-control", _CACHE_CONTROL.encode())]


class SecurityHeadersMiddleware:
    """Adds the headers that an answer does not have by itself.

    Most answers are 304: they get the one that they must have, and the others count on from the answer before.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                headers = _FOR_CACHES if message["status"] == 304 else _ENCODED
                added = [header for header in headers if header[0] not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
