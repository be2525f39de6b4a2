"""``/f/device``: an operator enters the code that an application displays."""

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import ReadableStore
from heksherlite.service.api.routes import requires_operator
from heksherlite.service.domain.device_codes import is_code
from heksherlite.service.pages.approval import page_of
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rate_limit import NO_SUCH_CODE, count_failed_attempt, require_within_rate_limit
from heksherlite.service.pages.rendering import redirect, render

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/device")
@requires_operator
async def ask_for_code(request: Request) -> Response:
    """Show the form for a code."""
    return render(request, "device", code="", problem="")


@router.post("/device")
@requires_operator
async def find_code(request: Request, store: ReadableStore) -> Response:
    """Redirect to the page of a code if the code exists."""
    form = await read_form(request)
    code = "".join(form.text("code").split())
    require_within_rate_limit(request, code)
    address = request.state.identity.address
    if not is_code(code) or await store.device_codes.open(code, None, address, store.now().timestamp()) is None:
        count_failed_attempt(request, code)
        return render(request, "device", status=404, code=code, problem=NO_SUCH_CODE)
    return redirect(request, page_of(code))
