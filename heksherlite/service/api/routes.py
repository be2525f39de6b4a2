"""The routes of the service: each says which scope it needs, and none is served without."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from opentelemetry import trace
from starlette.routing import BaseRoute

from heksherlite.service.api.access_denied import ACCESS_DENIED_RESPONSES, AccessDeniedError
from heksherlite.service.api.authorizer import RequiredScope
from heksherlite.service.api.bodies import StrictJsonRequest
from heksherlite.service.api.responses import text_responses
from heksherlite.service.domain.tokens import Scope

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_REQUIRED_SCOPE = "_heksherlite_required_scope"

NEEDED_SCOPE = "x-needed-scope"
"""Where the OpenAPI schema has the scope of an operation."""


def requires(scope: Scope, *, all_settings: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declare which scope the routes to a function need.

    Args:
        scope: The scope that a token must have.
        all_settings: Whether it takes a token that is not limited to some settings.
    """
    return _noting(RequiredScope(scope, all_settings))


def requires_operator(endpoint: Endpoint) -> Endpoint:
    """Declare that the routes to a function are for a person who is logged in as an operator."""
    return _noting(RequiredScope(None, operator=True))(endpoint)


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that the routes to a function need no token."""
    return _noting(RequiredScope(None))(endpoint)


class ServiceRoute(APIRoute):
    """A route that lets a request in before it looks at it, reads its JSON strictly, and takes limited time.

    Raises:
        TypeError: The function does not say what it needs.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        required = vars(endpoint).get(_REQUIRED_SCOPE)
        if required is None:
            name = f"{endpoint.__module__}.{endpoint.__qualname__}"
            raise TypeError(f"{name} serves {path} and does not say what that needs: use @requires or @public")
        self.required: RequiredScope = required
        if required.scope is not None:
            options["responses"] = {
                **ACCESS_DENIED_RESPONSES,
                **text_responses(503),
                **(options.get("responses") or {}),
            }
            options["openapi_extra"] = {NEEDED_SCOPE: required.scope, **(options.get("openapi_extra") or {})}
        super().__init__(path, endpoint, **options)

    def answering(self, handle: Handler) -> Handler:
        """Return what answers a request that was let in: FastAPI's handler, unless a kind of route knows better."""
        return handle

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind ours: it would read a body before it asks who sent it."""
        handle = self.answering(super().get_route_handler())
        required = self.required

        async def handle_admitted(request: Request) -> Response:
            state = request.app.state
            _tell_trace(state.metrics.revision)
            await state.authorizer.authorize(request, required)
            deadline = asyncio.timeout(state.limits.request_timeout)
            try:
                async with deadline:
                    if required.operator:
                        await state.operators.authorize(request)
                    return await handle(StrictJsonRequest(request.scope, request.receive))
            except TimeoutError:
                if not deadline.expired():
                    raise
                text = f"this took longer than {state.limits.request_timeout:g} s; it may still have an effect"
                return Response(text, 503, {"retry-after": "5"}, "text/plain")

        return handle_admitted


def _tell_trace(revision: int) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("heksherlite.revision", revision)


def still_authorized(request: Request) -> bool:
    """Tell whether a request that was let in a while ago would be let in now."""
    try:
        request.app.state.authorizer.reauthorize(request, request.scope["route"].required)
    except AccessDeniedError:
        return False
    return True


def require_scopes(routes: Iterable[BaseRoute]) -> None:
    """Check that every route says what it needs.

    Raises:
        TypeError: One does not, or it is of a kind that cannot.
    """
    for route in _leaves(routes):
        if not isinstance(route, ServiceRoute):
            raise TypeError(f"{route!r} does not say what it needs: only a ServiceRoute does")


def _leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Return all routes, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _leaves(included.routes)


def _noting(required: RequiredScope) -> Callable[[Endpoint], Endpoint]:
    def note(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)[_REQUIRED_SCOPE] = required
        return endpoint

    return note
