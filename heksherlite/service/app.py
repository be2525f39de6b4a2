"""The application: the API over one store."""

import threading
from collections.abc import MutableMapping, Sequence
from functools import cache, partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.routing import BaseRoute

from heksherlite._version import __version__
from heksherlite.service.api import (
    context_features,
    declarations,
    documentation,
    export,
    grants,
    health,
    history,
    metrics,
    oauth2,
    query,
    rules,
    settings,
    stream,
)
from heksherlite.service.api.access_denied import AccessDeniedError, respond_to_access_denied, respond_to_outside_prefix
from heksherlite.service.api.access_log import AccessLogMiddleware
from heksherlite.service.api.authorizer import Authorizer
from heksherlite.service.api.bodies import BodyMiddleware
from heksherlite.service.api.cache_policy import CachePolicy
from heksherlite.service.api.counting import CountingMiddleware
from heksherlite.service.api.grants_state import GrantsState
from heksherlite.service.api.metrics_collector import MetricsCollector
from heksherlite.service.api.not_modified import NotModifiedCache
from heksherlite.service.api.operators import Operators
from heksherlite.service.api.responses import answer_invalid, answer_unavailable, respond_to_request_error
from heksherlite.service.api.routes import require_scopes
from heksherlite.service.api.security_headers import SECURITY_HEADERS, SecurityHeadersMiddleware
from heksherlite.service.api.store_view import LimitedCatalogs, StoreView
from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.access_tokens import AccessTokens
from heksherlite.service.errors import DatabaseUnavailableError, OutsidePrefixError, RequestError
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import ServiceOptions
from heksherlite.service.pages import approval, device, login
from heksherlite.service.responses.bodies import ResponseBodies
from heksherlite.service.storage.store import Store

_building = threading.Lock()

_RESOURCES = (
    health,
    metrics,
    query,
    stream,
    export,
    context_features,
    declarations,
    settings,
    rules,
    history,
    grants,
    oauth2,
    documentation,
    login,
    device,
    approval,
)


def create_app(
    store: Store,
    options: ServiceOptions = ServiceOptions(),  # noqa: B008 - immutable
    *,
    multiprocess: MultiprocessDirectory | None = None,
) -> FastAPI:
    """Return the ASGI application that serves a store.

    Args:
        store: Loaded; whoever loaded it keeps it up to date and closes its database.
        options: How it serves.
        multiprocess: Where other processes of the same service tell what they count; None if there are none.

    Raises:
        TypeError: A route does not say which scope it needs.
    """
    app = FastAPI(
        title="heksherlite",
        version=__version__,
        openapi_url=None,
        telemetry={"auto_configure": options.opentelemetry, "operation_spans": False, "exclude": _is_untraced},
    )
    app.state.answers = ResponseBodies()
    app.state.not_modified = NotModifiedCache(lambda: store.catalog.state)
    app.state.streams = Streams(store.catalog)
    store.on_replaced = app.state.streams.publish
    access, limits = options.access, options.limits
    app.state.access_tokens = AccessTokens(lambda: store.signing_key, lambda: store.tokens)
    app.state.authorizer = Authorizer(lambda: store.tokens, app.state.access_tokens, store.catch_up, access, limits)
    app.state.metrics = MetricsCollector(store, app.state.streams, app.state.authorizer, multiprocess)
    app.state.cache_policy = CachePolicy(options)
    app.state.grants = GrantsState(app.state.authorizer.proxy_headers, options.public_url)
    app.state.failed_codes = app.state.grants.failed_codes
    app.state.operators = Operators(app.state.authorizer, access, store.sessions, options.public_url)
    app.state.limits = limits
    app.state.view = partial(StoreView, store, limits, LimitedCatalogs())
    app.add_middleware(BodyMiddleware, max_bytes=limits.max_body_size, timeout=limits.request_timeout)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(CountingMiddleware, metrics=app.state.metrics)
    if options.access_log:
        app.add_middleware(AccessLogMiddleware, store=store)
    app.add_exception_handler(AccessDeniedError, respond_to_access_denied)
    app.add_exception_handler(OutsidePrefixError, respond_to_outside_prefix)
    app.add_exception_handler(RequestError, respond_to_request_error)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(DatabaseUnavailableError, answer_unavailable)
    app.add_exception_handler(Exception, _answer_fault)
    app.router.routes.extend(_built_routes())
    require_scopes(app.routes)
    app.openapi = partial(documentation.describe, app)  # type: ignore[method-assign]
    return app


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    """Leave out of traces who asks every few seconds, and pages whose addresses, which are in spans, hold codes."""
    path: str = scope["path"]
    return path in {"/api/health", "/api/ready", "/metrics"} or path.startswith(("/f/configure", "/f/login"))


def _built_routes() -> Sequence[BaseRoute]:
    """Return the routes, which are the same for all services of a process, and which FastAPI takes its time to build.

    It would do so while it answers the first request, and ignores warnings meanwhile, which does not work in several
    threads at once.
    """
    with _building:
        return _routes()


@cache
def _routes() -> Sequence[BaseRoute]:
    router = APIRouter()
    for resource in _RESOURCES:
        router.include_router(resource.router)
    for route in router.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []})
    return router.routes


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    # This answer is made outside of all middleware.
    return Response("Internal Server Error", 500, dict(SECURITY_HEADERS), "text/plain")
