"""The routes of the service: each declares the scope that it requires, and none can exist without."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar, cast

from fastapi import Request, Response
from opentelemetry import trace
from starlette.routing import BaseRoute

from heksherlite.service.api.access_denied import ACCESS_DENIED_RESPONSES, AccessDeniedError
from heksherlite.service.api.authorizer import RequiredScope
from heksherlite.service.api.bodies import StrictJsonRequest, has_body
from heksherlite.service.api.context import ServiceContext, context_of
from heksherlite.service.api.deferred_routes import DeferredRoute
from heksherlite.service.api.identity import identity_of
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.quotas import Quotas, client_of
from heksherlite.service.api.responses import text_responses
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.turns import current_client

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_SHARED: Final = frozenset({Scope.EVALUATE})
"""The scopes of a token that many browsers and phones have. It is no secret."""

_ATTRIBUTE: Final = "_heksherlite_required_scope"

NEEDED_SCOPE: Final = "x-needed-scope"
"""The OpenAPI extension with the scope of an operation."""

ALTERNATIVE_SCOPES: Final = "x-alternative-scopes"
"""The OpenAPI extension with the scopes that are as good as the scope of an operation."""


def requires(scope: Scope, *alternatives: Scope, all_settings: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declare the scope that the routes of an endpoint require.

    Args:
        scope: The scope that the token must have.
        alternatives: Scopes that are as good.
        all_settings: Whether the token must not be limited to a setting prefix.
    """
    return _declaring(RequiredScope(scope, all_settings, alternatives=frozenset(alternatives)))


def requires_person(
    scope: Scope | None = None, *alternatives: Scope, all_settings: bool = False, reads: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Declare that the routes of an endpoint require a person who is logged in.

    Args:
        scope: The scope that the person must have; None for any person.
        alternatives: Scopes that are as good.
        all_settings: Whether the person must not be limited to a setting prefix.
        reads: Whether the person must have the scope ``read`` as well.
    """
    required = RequiredScope(scope, all_settings, person=True, alternatives=frozenset(alternatives), reads=reads)
    return _declaring(required)


def requires_operator(endpoint: Endpoint) -> Endpoint:
    """Declare that the routes of an endpoint require an operator: a person with ``admin`` and no setting prefix."""
    return requires_person(Scope.ADMIN, all_settings=True)(endpoint)


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that the routes of an endpoint require no token."""
    return _declaring(RequiredScope(None))(endpoint)


class ServiceRoute(DeferredRoute):
    """A route that authorizes a request before it reads it, decodes JSON strictly, and limits the time it takes.

    Raises:
        TypeError: The endpoint does not declare the scope that it requires.
    """

    takes_operations = False
    """Whether bodies may be as large as those with operations."""

    reads_body = False
    """Whether the handler reads the body by itself, piece by piece, and takes as long as that needs."""

    is_stream = False
    """Whether responses have no end."""

    is_read = False
    """Whether a request that is no GET reads only."""

    is_immediate = False
    """Whether the handler answers from memory, so that no deadline is needed after the body arrived."""

    serves_other_sites = False
    """Whether pages of the sites that the options permit may send requests."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        required = vars(endpoint).get(_ATTRIBUTE)
        if required is None:
            name = f"{endpoint.__module__}.{endpoint.__qualname__}"
            raise TypeError(f"{name} serves {path} without a required scope; decorate it with @requires or @public")
        self.required: RequiredScope = required
        if required.scope is not None and not required.person:
            options["responses"] = {
                **ACCESS_DENIED_RESPONSES,
                **text_responses(503),
                **(options.get("responses") or {}),
            }
            scopes: dict[str, Any] = {NEEDED_SCOPE: required.scope}
            if required.alternatives:
                scopes[ALTERNATIVE_SCOPES] = sorted(required.alternatives)
            options["openapi_extra"] = {**scopes, **(options.get("openapi_extra") or {})}
        super().__init__(path, endpoint, **options)

    def handler(self, handle: Handler) -> Handler:
        """Return the handler of authorized requests: FastAPI's, unless a subclass has a shortcut."""
        return handle

    def repeated(self, request: Request) -> Response | None:  # noqa: ARG002 - for subclasses
        """Return the response to an authorized request if it is known already, else None."""
        return None

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler wrapped in authorization, because FastAPI would read the body first."""
        handle = self.handler(super().get_route_handler())

        async def handle_request(request: Request) -> Response:
            context = context_of(request)
            _annotate_span(context.metrics.revision)
            await self._admit(request, context)
            response = self.repeated(request)
            if response is not None:
                return response
            limits = context.options.limits
            if self.reads_body:
                return await handle(StrictJsonRequest(request.scope, request.receive))
            if not has_body(request.scope):
                return await _in_time(handle, StrictJsonRequest(request.scope, request.receive), limits.request_timeout)
            max_bytes = limits.max_changes_size if self.takes_operations else None
            reading = context.body_reader.reading(request, public=self.required.is_public, max_bytes=max_bytes)
            async with reading as complete:
                if self.is_immediate:
                    return await handle(complete)
                return await _in_time(handle, complete, limits.request_timeout)

        return handle_request

    async def _admit(self, request: Request, context: ServiceContext) -> None:
        """Authorize a request, and count what its client uses.

        Raises:
            AccessDeniedError: The request is denied.
        """
        required = self.required
        if context.origin_guard is not None:
            permitted = context.options.cors_origins if self.serves_other_sites else ()
            context.origin_guard.check(request.scope, permitted)
        if required.is_public:
            await context.authorizer.authorize(request, required)
            return
        await context.store.catch_up_after_pause()
        await context.authorizer.authorize(request, required)
        if required.person:
            await context.people.authorize(request, required)
        _hold_quotas(context.quotas, request, self)


class StreamRoute(ServiceRoute):
    """A route whose responses have no end."""

    is_stream = True


class UploadRoute(ServiceRoute):
    """A route whose body is larger than what fits into the memory."""

    reads_body = True


class OperationsRoute(ServiceRoute):
    """A route whose body may be a list of operations."""

    takes_operations = True


async def _in_time(handle: Handler, request: Request, seconds: float) -> Response:
    """Return the response of a handler, or 503 if it takes longer."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await handle(request)
    except TimeoutError:
        if not deadline.expired():
            raise
        text = f"the request took longer than {seconds:g} s; it may still take effect"
        return Response(text, 503, {"retry-after": "5"}, "text/plain")


def _hold_quotas(quotas: Quotas, request: Request, route: ServiceRoute) -> None:
    identity = identity_of(request.scope)
    is_shared = identity.scopes == _SHARED
    client = client_network(identity.address or "") if is_shared else client_of(identity)
    current_client.set(client)
    if request.method != "GET" and not route.is_read:
        quotas.require_history(client)
    elif route.is_stream:
        quotas.hold_stream(request.scope, client)
    else:
        quotas.hold_read(request.scope, client)


def _annotate_span(revision: int) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("heksherlite.revision", revision)


def still_authorized(request: Request) -> bool:
    """Return whether a request that was authorized earlier would be authorized now."""
    try:
        context_of(request).authorizer.reauthorize(request, request.scope["route"].required)
    except AccessDeniedError:
        return False
    return True


def require_scopes(routes: Iterable[BaseRoute]) -> list[ServiceRoute]:
    """Return all routes, those of included routers too, and require that each declares the scope that it requires.

    Raises:
        TypeError: A route does not, or is of a kind that cannot.
    """
    leaves = list(_leaves(routes))
    for route in leaves:
        if not isinstance(route, ServiceRoute):
            raise TypeError(f"{route!r} has no required scope; only a ServiceRoute can declare one")
    return cast("list[ServiceRoute]", leaves)


def _leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _leaves(included.routes)


def _declaring(required: RequiredScope) -> Callable[[Endpoint], Endpoint]:
    def declare(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)[_ATTRIBUTE] = required
        return endpoint

    return declare
