"""The ASGI application: the API and the pages over one store."""

from collections.abc import MutableMapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from heksherlite._version import __version__
from heksherlite.service.api import (
    applications,
    audit,
    changes,
    configurations,
    context_features,
    declarations,
    declarers,
    documentation,
    explain,
    export,
    grants,
    groups,
    health,
    history,
    imports,
    metrics,
    oauth2,
    oauth2_device,
    oauth2_metadata,
    oauth2_tokens,
    ofrep,
    proposals,
    query,
    rules,
    settings,
    signing_key,
    stream,
    tokens,
)
from heksherlite.service.api.access_denied import (
    AccessDeniedError,
    respond_to_access_denied,
    respond_to_outside_prefix,
)
from heksherlite.service.api.access_log import AccessLogMiddleware
from heksherlite.service.api.bodies import BodyError
from heksherlite.service.api.context import ServiceContext
from heksherlite.service.api.cors import CorsMiddleware
from heksherlite.service.api.counting import CountingMiddleware
from heksherlite.service.api.framing import FramingMiddleware
from heksherlite.service.api.head import HeadMiddleware
from heksherlite.service.api.responses import (
    respond_to_body_error,
    respond_to_http_error,
    respond_to_invalid,
    respond_to_request_error,
    respond_to_unavailable,
)
from heksherlite.service.api.routes import ServiceRoute, require_scopes
from heksherlite.service.api.security_headers import SECURITY_HEADERS, SecurityHeadersMiddleware
from heksherlite.service.console.routes import problem
from heksherlite.service.console.views import CONSOLE
from heksherlite.service.errors import DatabaseUnavailableError, OutsidePrefixError, RequestError
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import ServiceOptions
from heksherlite.service.pages import api_documentation, approval, device, login, oidc, sessions
from heksherlite.service.storage.store import Store

# The routes that are used most come first, because routing looks at one after the other.
_RESOURCES: Final = (
    query,
    ofrep,
    health,
    metrics,
    stream,
    export,
    imports,
    changes,
    explain,
    proposals,
    context_features,
    declarations,
    declarers,
    settings,
    rules,
    history,
    audit,
    tokens,
    signing_key,
    applications,
    groups,
    grants,
    configurations,
    oauth2_metadata,
    oauth2,
    oauth2_device,
    oauth2_tokens,
    documentation,
    api_documentation,
    login,
    oidc,
    sessions,
    device,
    approval,
    *CONSOLE,
)


def create_app(
    store: Store,
    options: ServiceOptions = ServiceOptions(),  # noqa: B008 - immutable
    *,
    multiprocess: MultiprocessDirectory | None = None,
    defers_routes: bool = False,
) -> FastAPI:
    """Return the ASGI application that serves a store.

    Args:
        store: A loaded store. The caller keeps it up to date and closes its database.
        options: The options of the service.
        multiprocess: The directory shared with other processes of the service; None for a single process.
        defers_routes: Whether each route is built by its first request. Building one changes the filters of warnings
            for a moment, which programs with other threads may notice.

    Raises:
        TypeError: A route does not declare the scope that it requires.
    """
    app = FastAPI(
        title="heksherlite",
        version=__version__,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"auto_configure": options.opentelemetry, "operation_spans": False, "exclude": _is_untraced},
    )
    context = app.state.context = ServiceContext.create(store, options, multiprocess)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(FramingMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(CountingMiddleware, metrics=context.metrics, audit=context.audit, quotas=context.quotas)
    if options.access_log:
        app.add_middleware(AccessLogMiddleware, store=store)
    if options.cors_origins:
        app.add_middleware(CorsMiddleware, origins=options.cors_origins)
    app.add_exception_handler(AccessDeniedError, respond_to_access_denied)
    app.add_exception_handler(OutsidePrefixError, respond_to_outside_prefix)
    app.add_exception_handler(RequestError, respond_to_request_error)
    app.add_exception_handler(BodyError, respond_to_body_error)
    app.add_exception_handler(HTTPException, _respond_to_http_error)
    app.add_exception_handler(RequestValidationError, respond_to_invalid)
    app.add_exception_handler(DatabaseUnavailableError, respond_to_unavailable)
    app.add_exception_handler(Exception, _respond_to_fault)
    routes = _routes()
    if not defers_routes:
        for route in routes:
            route.build()
    app.router.routes.extend(routes)
    app.openapi = partial(documentation.openapi_schema, app, context)  # type: ignore[method-assign]
    return app


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    """Return whether to exclude a request from traces: frequent polls, and pages whose URLs contain codes."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in {"/api/health", "/api/ready", "/metrics"} or path.startswith(("/f/configure", "/f/login", "/f/oidc"))


@cache
def _routes() -> Sequence[ServiceRoute]:
    """Return the routes, which all applications of the process share.

    Raises:
        TypeError: A route does not declare the scope that it requires.
    """
    # Not by include_router, which builds each route again.
    return require_scopes([route for resource in _RESOURCES for route in resource.router.routes])


async def _respond_to_http_error(request: Request, error: Exception) -> Response:
    """Return a page if a page of the console was requested that does not exist, or else what the API responds."""
    path: str = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND and path.startswith("/console/"):
        return await problem(request, error.status_code, "there is no such page")
    return await respond_to_http_error(request, error)


async def _respond_to_fault(_request: Request, _error: Exception) -> Response:
    # This response is created outside of all middleware.
    return Response("Internal Server Error", 500, dict(SECURITY_HEADERS), "text/plain")
