"""``/api/health`` and ``/api/ready``: whether the service can do its work, and whether to send it any."""

from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from heksherlite._version import __version__
from heksherlite.service.api.responses import json_answer
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.api.service_state import StoreOfApp, StreamsOfApp

_LONGEST_LAG: Final = 10.0
"""For how many seconds a replica may be behind a database that it can reach: ten times what it promises."""

router = APIRouter(tags=["health"], route_class=ServiceRoute)


class Health(BaseModel):
    """Which version of the service answers."""

    version: str


@router.get(
    "/api/health",
    response_model=Health,
    responses={500: {"model": Health, "description": "The database could not be reached at the last check."}},
)
@public
async def get_health(store: StoreOfApp) -> Response:
    """Tell the version; the status tells whether the database could be reached at the last check."""
    return json_answer({"version": __version__}, 200 if store.available else 500)


class Readiness(BaseModel):
    """Whether to send requests here."""

    ready: bool
    reasons: list[str]
    """Why not."""
    database: Literal["reachable", "unreachable"]
    """As of the last check. Without it reads go on from memory, here as at all replicas."""


@router.get(
    "/api/ready",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Requests are better sent elsewhere."}},
)
@public
async def get_readiness(store: StoreOfApp, streams: StreamsOfApp) -> Response:
    """Tell whether to send requests here: while the service does not stop, and keeps up with its database."""
    reasons = []
    if streams.closed:
        reasons.append("the service stops")
    if store.available and store.lag > _LONGEST_LAG:
        reasons.append(f"what is served was last known to be the newest {store.lag:.0f} s ago")
    body = {
        "ready": not reasons,
        "reasons": reasons,
        "database": "reachable" if store.available else "unreachable",
    }
    return json_answer(body, 503 if reasons else 200)
