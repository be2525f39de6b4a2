"""Counting what the service answers."""

from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.api.metrics_collector import MetricsCollector
from heksherlite.service.metrics.snapshot import ResponseLabels

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountingMiddleware:
    """Counts each answer and how long it took until it began, by its route: paths would have no end.

    Args:
        app: The application.
        metrics: Counts.
    """

    def __init__(self, app: ASGIApp, *, metrics: MetricsCollector) -> None:
        self._app = app
        self._metrics = metrics

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
                self._metrics.count(_kind(scope, message["status"]), perf_counter() - arrived)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not began:  # this answer is made outside of all middleware
                self._metrics.count(_kind(scope, 500), perf_counter() - arrived)
            raise


def _kind(scope: Scope, status: int) -> ResponseLabels:
    method = scope["method"]
    return ResponseLabels(method if method in _METHODS else "other", route_of(scope) or "none", status)


def route_of(scope: Scope) -> str | None:
    """Return the template of the route that a request was found to be for, or None before that, or if there is none."""
    route = scope.get("route")
    return None if route is None else route.path
