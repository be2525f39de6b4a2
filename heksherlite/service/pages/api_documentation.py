"""``/docs``: the documentation of the API for people, with scripts that the service has itself."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context
from heksherlite.service.api.documentation import schema_for
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import public, requires_person
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotFoundError
from heksherlite.service.pages.page_route import PageRoute

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_PACKAGE: Final = "fastapi_offline"
_MEDIA_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_START: Final = """
const settings = {url: "docs/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null};
SwaggerUIBundle(settings);
"""
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>HTTP API · heksherlite</title>
  {head}
</head>
<body>
{body}
</body>
</html>
"""


@router.get("/docs")
@requires_person(Scope.READ)
async def show_docs() -> Response:
    """Show the interactive documentation. Its button "Authorize" takes the token for the requests that it sends."""
    head = f'<link rel="stylesheet" href="{_url("swagger-ui.css")}">'
    scripts = f'<script src="{_url("swagger-ui-bundle.js")}"></script>\n<script src="docs/start.js"></script>'
    return _page(head, f'<div id="swagger-ui"></div>\n{scripts}')


@router.get("/docs/openapi.json")
@requires_person(Scope.READ)
async def get_schema(request: Request, context: Context) -> Response:
    """Return the OpenAPI schema to a person who is logged in."""
    return json_response(schema_for(request, context))


@router.get("/docs/{name}")
@public
async def get_file(name: str) -> Response:
    """Return a script or style sheet of the documentation."""
    if name == "start.js":
        return Response(_START, 200, {"cache-control": "no-cache"}, "text/javascript")
    if name not in _MEDIA_TYPES:
        raise NotFoundError("there is no such file")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(_file(name)[0], 200, headers, _MEDIA_TYPES[name])


def _page(head: str, body: str) -> Response:
    return Response(_PAGE.format(head=head, body=body), 200, _HEADERS, "text/html")


def _url(name: str) -> str:
    return f"docs/{name}?v={_file(name)[1]}"


@cache
def _file(name: str) -> tuple[bytes, str]:
    content = files(_PACKAGE).joinpath("static", name).read_bytes()
    return content, sha256(content).hexdigest()[:16]
