"""Middleware that logs each request."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.api.counting import route_of
from heksherlite.service.storage.store import Store

_logger = logging.getLogger("heksherlite.access")


class AccessLogMiddleware:
    """Logs each request when its response has ended, without its query string, headers and body.

    Args:
        app: The application.
        store: The store of the service.
    """

    def __init__(self, app: ASGIApp, *, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived = perf_counter()
        status = 500  # the response to an exception is created outside of all middleware

        async def send_logged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_logged)
        finally:
            _log(scope, status, perf_counter() - arrived, self._store.catalog.counters.revision)


def _log(scope: Scope, status: int, seconds: float, revision: int) -> None:
    identity = scope.get("state", {}).get("identity")
    details = {
        "client": identity.address if identity else (scope.get("client") or [""])[0],
        "by": identity.name if identity else None,
        "method": scope["method"],
        "path": scope["path"],
        "route": route_of(scope),
        "status": status,
        "duration": round(seconds, 6),
        "revision": revision,
    }
    _logger.info("request", extra=details)
