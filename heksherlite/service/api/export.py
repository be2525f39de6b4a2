"""``/api/v1/export``: all settings and rules, for ``heksherlite import``."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from heksherlite.service.api.context import ReadableStore
from heksherlite.service.api.responses import INVALID, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.filters import parse_moment
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.portions import portions
from heksherlite.service.transfer.lines import MEDIA_TYPE, lines_of

router = APIRouter(tags=["settings"], route_class=ServiceRoute)


@router.get(
    "/api/v1/export",
    response_class=Response,
    responses={
        **text_responses(400, 404, 503),
        **INVALID,
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "JSON lines."},
    },
)
@requires(Scope.READ)
async def export_settings(
    store: ReadableStore,
    at: Annotated[
        str | None, Query(description="A revision, or a time such as 2030-01-31T12:00:00Z, as of which to export.")
    ] = None,
) -> Response:
    """Return all settings and rules as of one revision, in the format that ``heksherlite import`` reads."""
    catalog = store.catalog if at is None else await store.at(parse_moment(at, now=store.now()))
    return StreamingResponse(map(b"".join, portions(lines_of(catalog))), media_type=MEDIA_TYPE)
