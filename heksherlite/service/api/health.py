"""``/api/health``: whether the service can do its work."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from heksherlite._version import __version__
from heksherlite.service.api.responses import json_answer
from heksherlite.service.api.routes import ServiceRoute, open_to_all
from heksherlite.service.api.service_state import StoreOfApp

router = APIRouter(tags=["health"], route_class=ServiceRoute)


class Health(BaseModel):
    """Which version of the service answers."""

    version: str


@router.get(
    "/api/health",
    response_model=Health,
    responses={500: {"model": Health, "description": "The database could not be reached at the last check."}},
)
@open_to_all
async def get_health(store: StoreOfApp) -> Response:
    """Tell the version; the status tells whether the database could be reached at the last check."""
    return json_answer({"version": __version__}, 200 if store.available else 500)
