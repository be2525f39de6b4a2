"""``/api/v1/export``: all settings and rules, for ``heksherlite import``."""

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from heksherlite.service.api.context import ReadableStore
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.portions import portions
from heksherlite.service.transfer.lines import MEDIA_TYPE, lines_of

router = APIRouter(tags=["settings"], route_class=ServiceRoute)


@router.get(
    "/api/v1/export",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "JSON lines."}},
)
@requires(Scope.READ)
async def export_settings(store: ReadableStore) -> Response:
    """Return all settings and rules as of one revision, in the format that ``heksherlite import`` reads."""
    return StreamingResponse(map(b"".join, portions(lines_of(store.catalog))), media_type=MEDIA_TYPE)
