"""``/f/login`` and ``/f/logout``: who the operator is. And what all pages look like."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.operators import operators_of
from heksherlite.service.api.routes import public, requires_operator
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import redirect, render, style_sheet

_START: Final = "device"
_OWN_PAGE: Final = re.compile(r"(?:device|configure/)(?:\?[!-~]*)?")

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/style.css")
@public
async def get_style_sheet() -> Response:
    """Return what pages look like; its address has its version."""
    return Response(style_sheet()[0], 200, {"cache-control": "public, max-age=31536000, immutable"}, "text/css")


@router.get("/login")
@public
async def show_login(request: Request) -> Response:
    """Ask for a token, or go on if there is nothing to log in for."""
    operators = operators_of(request)
    page = own_page(request.query_params.get("next", ""))
    if await operators.find(request) is not None:
        return redirect(request, page)
    return render(request, "login", page=page, problem="")


@router.post("/login")
@public
async def log_in(request: Request) -> Response:
    """Log in with a token, and go on to the page that was asked for."""
    operators = operators_of(request)
    form = await read_form(request)
    page = own_page(form.text("next"))
    try:
        visitor = await operators.log_in(request, form.text("token"))
    except AccessDeniedError as denied:
        return render(request, "login", status=denied.status, headers=denied.headers, page=page, problem=denied.detail)
    answer = redirect(request, page)
    operators.set_cookie(request, answer, visitor)
    return answer


@router.post("/logout")
@requires_operator
async def log_out(request: Request) -> Response:
    """End the session."""
    operators = operators_of(request)
    await read_form(request)
    await operators.log_out(request)
    return redirect(request, "login")


def own_page(page: str) -> str:
    """Return a page that was asked for, relative to ``/f/``, or where to start if it is none of ours."""
    return page if _OWN_PAGE.fullmatch(page) else _START
