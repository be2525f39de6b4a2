"""Middleware that refuses requests whose end is ambiguous, which a proxy may see elsewhere than the service does."""

from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


class FramingMiddleware:
    """Refuses requests with both ``Content-Length`` and ``Transfer-Encoding``, and closes their connection (RFC 9112).

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not _LENGTHS.issubset([name for name, _ in scope["headers"]]):
            await self._app(scope, receive, send)
            return
        reason = "the request has both Content-Length and Transfer-Encoding; send one of them"
        await PlainTextResponse(reason, 400, {"connection": "close"})(scope, receive, send)
