"""``/api/v1/export``: everything there is, for ``heksherlite import``."""

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.rows import portions
from heksherlite.service.transfer.lines import MEDIA_TYPE, lines_of

router = APIRouter(tags=["settings"], route_class=ServiceRoute)


@router.get(
    "/api/v1/export",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "Lines of JSON."}},
)
@requires(Scope.READ)
async def export_settings(store: StoreOfApp) -> Response:
    """Return all settings with all their rules, as of one revision, in the form that ``heksherlite import`` takes."""
    return StreamingResponse(map(b"".join, portions(lines_of(store.catalog))), media_type=MEDIA_TYPE)
