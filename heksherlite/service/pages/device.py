"""``/f/device``: an operator enters the code that an application shows."""

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.routes import needs_operator
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import render

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/device")
@needs_operator
async def ask_for_code(request: Request) -> Response:
    """Ask for a code."""
    return render(request, "device", code="", problem="")
