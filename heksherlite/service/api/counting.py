"""Middleware around each request: it counts responses, records denied requests, and ends what the request holds."""

from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.api.audit_recorder import AuditRecorder
from heksherlite.service.api.denials import DENIED_STATUSES
from heksherlite.service.api.metrics_collector import MetricsCollector
from heksherlite.service.api.quotas import Quotas
from heksherlite.service.metrics.snapshot import ResponseLabels

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountingMiddleware:
    """Counts each response, and the time until it started, by route. Counting by path would be unbounded.

    Denied requests also go into the audit record, and the quotas that a request holds end with it.

    Args:
        app: The application.
        metrics: Collects the counts.
        audit: Records denied requests.
        quotas: What requests hold.
    """

    def __init__(self, app: ASGIApp, *, metrics: MetricsCollector, audit: AuditRecorder, quotas: Quotas) -> None:
        self._app = app
        self._metrics = metrics
        self._audit = audit
        self._quotas = quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # here, so that copies of the scope share it
        arrived = perf_counter()
        started = False

        async def send_counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                self._metrics.count(_labels(scope, status), perf_counter() - arrived)
                if status in DENIED_STATUSES:
                    self._audit.record_denied_request(scope, status)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not started:  # the response to an exception is created outside of all middleware
                self._metrics.count(_labels(scope, 500), perf_counter() - arrived)
            raise
        finally:
            self._quotas.release(scope)


def _labels(scope: Scope, status: int) -> ResponseLabels:
    method = scope["method"]
    return ResponseLabels(method if method in _METHODS else "other", route_of(scope) or "none", status)


def route_of(scope: Scope) -> str | None:
    """Return the path template of the route that matched a request, or None if no route has matched so far."""
    route = scope.get("route")
    return None if route is None else route.path
