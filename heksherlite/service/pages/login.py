"""``/f/login`` and ``/f/logout``: people log in and out; and ``/f/style.css``, the style sheet of all pages."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.denials import note_denial
from heksherlite.service.api.routes import public, requires_person
from heksherlite.service.domain.audit import Action
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.page_route import PageRoute
from heksherlite.service.pages.rendering import redirect, render, style_sheet

_START: Final = "sessions"
_LOCAL_PAGE: Final = re.compile(
    r"(?:device|configure/|sessions|\.\./docs|\.\./console(?:/(?![^?]*(?:\.|%2[Ee]){2})[\w.~%!$&'()*+,;=:@/-]*)?)(?:\?[!-~]*)?",
    re.ASCII,
)

router = APIRouter(prefix="/f", include_in_schema=False, route_class=PageRoute)


@router.get("/style.css")
@public
async def get_style_sheet() -> Response:
    """Return the style sheet. Its URL contains its version."""
    return Response(style_sheet()[0], 200, {"cache-control": "public, max-age=31536000, immutable"}, "text/css")


@router.get("/login")
@public
async def show_login(request: Request) -> Response:
    """Show the login, or redirect a person who may do everything already."""
    people = context_of(request).people
    page = local_page(request.query_params.get("next", ""))
    identity = await people.find(request)
    if identity is not None and (identity.is_operator or identity.token is not None):
        return redirect(request, page)
    return login_form(request, page)


@router.post("/login")
@public
async def log_in(request: Request) -> Response:
    """Log in with a token, and redirect to the requested page."""
    people = context_of(request).people
    form = await read_form(request)
    page = local_page(form.text("next"))
    try:
        visitor = await people.log_in(request, form.text("token"))
    except AccessDeniedError as denied:
        note_denial(request.scope, denied.detail, Action.LOG_IN)
        return login_form(request, page, denied.detail, status=denied.status, headers=denied.headers)
    response = redirect(request, page)
    people.set_cookie(request, response, visitor)
    return response


@router.post("/logout")
@requires_person()
async def log_out(request: Request) -> Response:
    """End the session."""
    people = context_of(request).people
    await read_form(request)
    await people.log_out(request)
    return redirect(request, "login")


def login_form(
    request: Request, page: str, problem: str = "", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the page with the ways to log in.

    Args:
        request: The request.
        page: The page to which the login leads, relative to ``/f/``.
        problem: Why an attempt failed; empty for none.
        status: The status code of the response.
        headers: Additional response headers.
    """
    provider = context_of(request).options.access.identity_provider
    return render(
        request,
        "login",
        status=status,
        headers=headers,
        page=page,
        problem=problem,
        provider="" if provider is None else urlsplit(provider.issuer).netloc,
    )


def local_page(page: str) -> str:
    """Return the requested page, relative to ``/f/``, or the start page if it is not a page of this service."""
    return page if _LOCAL_PAGE.fullmatch(page) else _START
