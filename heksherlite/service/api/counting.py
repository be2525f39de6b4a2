"""Counting what the service answers."""

from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.api.meter import Meter
from heksherlite.service.metrics.readings import Kind

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountingMiddleware:
    """Counts each answer and how long it took until it began, by its route: paths would have no end.

    Args:
        app: The application.
        meter: Counts.
    """

    def __init__(self, app: ASGIApp, *, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived = perf_counter()
        began = False

        async def send_counted(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._meter.count(_kind(scope, message["status"]), perf_counter() - arrived)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not began:  # this answer is made outside of all middleware
                self._meter.count(_kind(scope, 500), perf_counter() - arrived)
            raise


def _kind(scope: Scope, status: int) -> Kind:
    method = scope["method"]
    return Kind(method if method in _METHODS else "other", route_of(scope) or "none", status)


def route_of(scope: Scope) -> str | None:
    """Return the template of the route that a request was found to be for, or None before that, or if there is none."""
    route = scope.get("route")
    return None if route is None else route.path
