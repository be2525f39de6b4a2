"""``/f/login`` and ``/f/logout``: the sessions of operators; and ``/f/style.css``, the style sheet of all pages."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.denials import note_denial
from heksherlite.service.api.routes import public, requires_operator
from heksherlite.service.domain.audit import Action
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import redirect, render, style_sheet

_START: Final = "device"
_LOCAL_PAGE: Final = re.compile(r"(?:device|configure/)(?:\?[!-~]*)?")

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/style.css")
@public
async def get_style_sheet() -> Response:
    """Return the style sheet. Its URL contains its version."""
    return Response(style_sheet()[0], 200, {"cache-control": "public, max-age=31536000, immutable"}, "text/css")


@router.get("/login")
@public
async def show_login(request: Request) -> Response:
    """Show the login, or redirect a person who is already an operator."""
    operators = context_of(request).operators
    page = local_page(request.query_params.get("next", ""))
    if await operators.find(request) is not None:
        return redirect(request, page)
    return render(request, "login", page=page, problem="")


@router.post("/login")
@public
async def log_in(request: Request) -> Response:
    """Log in with a token, and redirect to the requested page."""
    operators = context_of(request).operators
    form = await read_form(request)
    page = local_page(form.text("next"))
    try:
        visitor = await operators.log_in(request, form.text("token"))
    except AccessDeniedError as denied:
        note_denial(request.scope, denied.detail, Action.LOG_IN)
        return render(request, "login", status=denied.status, headers=denied.headers, page=page, problem=denied.detail)
    response = redirect(request, page)
    operators.set_cookie(request, response, visitor)
    return response


@router.post("/logout")
@requires_operator
async def log_out(request: Request) -> Response:
    """End the session."""
    operators = context_of(request).operators
    await read_form(request)
    await operators.log_out(request)
    return redirect(request, "login")


def local_page(page: str) -> str:
    """Return the requested page, relative to ``/f/``, or the start page if it is not a page of this service."""
    return page if _LOCAL_PAGE.fullmatch(page) else _START
