"""``/`` and the files of the console; the choice between light and dark."""

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from heksherlite.service.api.context import context_of
from heksherlite.service.api.routes import public, requires_person
from heksherlite.service.console.rendering import STATIC_TYPES, asset_version, assets, redirect
from heksherlite.service.console.routes import ConsoleRoute
from heksherlite.service.pages.form import read_form
from heksherlite.service.pages.menu import THEME_COOKIE, THEMES

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

_FOREVER: Final = {"cache-control": "public, max-age=31536000, immutable"}

_NO_COLOR: Final = "#5b6b82"

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="{color}"/>'
    '<path d="M10 7v18M22 7v18M10 16h12" stroke="#000" stroke-opacity=".3" stroke-width="6" stroke-linecap="round"/>'
    '<path d="M10 7v18M22 7v18M10 16h12" stroke="#fff" stroke-width="4" stroke-linecap="round"/></svg>'
)


@router.get("/")
@public
async def lead_to_the_console() -> Response:
    """Redirect to the console."""
    return Response(None, 303, {"location": "console/"})


@router.get("/console")
@public
async def add_a_slash() -> Response:
    """Redirect to the start page, whose links are relative to the slash."""
    return Response(None, 303, {"location": "console/"})


@router.get("/console/static/{version}/{name}")
@public
async def get_asset(version: str, name: str) -> Response:
    """Return a static file. Its URL contains the version of all of them, because scripts import each other."""
    if name not in assets():
        raise HTTPException(404)
    headers = _FOREVER if version == asset_version() else {"cache-control": "no-cache"}
    return Response(assets()[name], 200, dict(headers), STATIC_TYPES[name.rpartition(".")[2]])


@router.get("/console/color.css")
@public
async def get_color(request: Request) -> Response:
    """Return the style of the service's own color."""
    style = f":root {{ --service: {context_of(request).options.color or _NO_COLOR}; }}\n"
    return Response(style, 200, {"cache-control": "max-age=60"}, "text/css")


@router.get("/console/icon.svg")
@public
async def get_icon(request: Request) -> Response:
    """Return the icon of the tab, in the service's own color."""
    image = _ICON.format(color=context_of(request).options.color or _NO_COLOR)
    return Response(image, 200, {"cache-control": "max-age=60"}, "image/svg+xml")


@router.post("/console/theme")
@requires_person()
async def choose_theme(request: Request) -> Response:
    """Choose light or dark, or leave it to the system, for this browser."""
    form = await read_form(request)
    response = redirect(request, "")
    if form.text("theme") in THEMES:
        response.set_cookie(THEME_COOKIE, form.text("theme"), max_age=31_536_000, httponly=True, samesite="lax")
    return response
