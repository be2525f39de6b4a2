"""``/api/health`` and ``/api/ready``: whether the service works, and whether it should receive requests."""

from typing import Final, Literal

from fastapi import APIRouter, Response

from heksherlite._version import __version__
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.fields import ResponseBody

_MAX_LAG: Final = 10.0
"""The maximal time that a ready replica may lag behind a reachable database, in seconds: ten times the promised lag."""

router = APIRouter(tags=["health"], route_class=ServiceRoute)


class Health(ResponseBody):
    """The version of the service."""

    version: str


@router.get(
    "/api/health",
    response_model=Health,
    responses={500: {"model": Health, "description": "The database was unreachable at the last check."}},
)
@public
async def get_health(store: ReadableStore) -> Response:
    """Return the version of the service; the status tells whether the database was reachable at the last check."""
    return json_response({"version": __version__}, 200 if store.available else 500)


class Readiness(ResponseBody):
    """Whether this process should receive requests."""

    ready: bool
    reasons: list[str]
    """The reasons why it should not."""
    database: Literal["reachable", "unreachable"]
    """The result of the last check. Without a database, all replicas continue to serve reads from memory."""


@router.get(
    "/api/ready",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "This process should not receive requests."}},
)
@public
async def get_readiness(store: ReadableStore, context: Context) -> Response:
    """Return whether this process should receive requests: it is not stopping, and keeps up with its database."""
    reasons = []
    if context.streams.stopping:
        reasons.append("the service is stopping")
    if store.available and store.lag > _MAX_LAG:
        reasons.append(f"the revision was last known to be the newest {store.lag:.0f} s ago")
    body = {
        "ready": not reasons,
        "reasons": reasons,
        "database": "reachable" if store.available else "unreachable",
    }
    return json_response(body, 503 if reasons else 200)
