"""Middleware for ``HEAD``: the headers that ``GET`` would return, without the body."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_HEAD: Final = "heksherlite.is_head"
"""The key of a scope that tells whether only the headers of a response are requested."""


class HeadMiddleware:
    """Handles ``HEAD`` requests as ``GET`` requests, and omits the bodies of their responses.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET", IS_HEAD: True}

        async def send_head(message: Message) -> None:
            if "route" in as_get:
                scope["route"] = as_get["route"]  # for the middleware around this one
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(as_get, receive, send_head)
