"""``/console/service``: how the service is, in words; and ``/console/help``."""

from dataclasses import fields
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite._version import __version__
from heksherlite.service.api.context import Context
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.tokens import Scope

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_BYTES: Final = frozenset({"max_body_size", "max_value_size", "max_changes_size", "history_bytes_per_second"})


@router.get("/console/help")
@requires_person()
async def show_help(request: Request) -> Response:
    """Show the keys and the terms."""
    return await render(request, "help")


@router.get("/console/service")
@requires_person(Scope.READ)
async def show_service(request: Request, context: Context) -> Response:
    """Show the state of this process, its catalog and its limits."""
    store, options = context.store, context.options
    return await render(
        request,
        "service",
        version=__version__,
        metrics=context.metrics.collect(),
        counters=store.catalog.counters,
        location=store.location if person_of(request).is_operator else None,
        features=store.catalog.context_features,
        pending=len(store.catalog.proposals),
        scheduled=len(store.catalog.scheduled),
        lag=store.lag,
        options=options,
        base_url=context.base_url(request),
        limits=[
            (each.name.replace("_", " "), getattr(options.limits, each.name), each.name in _BYTES)
            for each in fields(options.limits)
        ],
    )
