"""``/console/service``: how the service is, in words; and ``/console/help``."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite._version import __version__
from heksherlite.service.api.context import Context
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.people import person_of
from heksherlite.service.console.rendering import render
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.metrics.snapshot import BOUNDS, Latencies, MetricsSnapshot
from heksherlite.service.storage.replicas import Replica

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_BYTES: Final = frozenset(
    {"max_body_size", "max_value_size", "max_changes_size", "max_import_size", "history_bytes_per_second"}
)


_FIRST_FAILURE: Final = 500
_SLOW_SECONDS: Final = 0.25


@router.get("/console/help")
@requires_person()
async def show_help(request: Request) -> Response:
    """Show the keys and the terms."""
    return await render(request, "help")


@router.get("/console/service")
@requires_person(Scope.READ)
async def show_service(request: Request, context: Context) -> Response:
    """Show the state of this process, its catalog and its limits."""
    store, options, metrics = context.store, context.options, context.metrics.collect()
    return await render(
        request,
        "service",
        version=__version__,
        metrics=metrics,
        traffic=_traffic(metrics),
        processes=context.metrics.processes(),
        replicas=await _replicas(context),
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


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What a service has done since it started."""

    responses: int
    failures: int
    milliseconds: float
    slow: int
    refused_tokens: int
    ended_streams: int


def _traffic(metrics: MetricsSnapshot) -> _Traffic:
    latencies = Latencies()
    failures = 0
    for labels, each in metrics.totals.responses.items():
        latencies = latencies.plus(each)
        failures += sum(each.counts) if labels.status >= _FIRST_FAILURE else 0
    number = sum(latencies.counts)
    slow = sum(count for bound, count in zip(BOUNDS, latencies.counts, strict=False) if bound > _SLOW_SECONDS)
    return _Traffic(
        responses=number,
        failures=failures,
        milliseconds=1000 * latencies.seconds / max(1, number),
        slow=slow + latencies.counts[-1],
        refused_tokens=metrics.totals.refused_tokens.total(),
        ended_streams=metrics.totals.ended_streams.total(),
    )


async def _replicas(context: Context) -> Sequence[Replica] | None:
    try:
        return await context.store.replicas()
    except DatabaseUnavailableError:
        return None  # the page says that the database cannot be reached
