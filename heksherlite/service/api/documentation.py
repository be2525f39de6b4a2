"""``/docs``, ``/redoc`` and ``/openapi.json``: the API, described. They need a token like everything else."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from heksherlite.service.api.author import describe_reasons
from heksherlite.service.api.responses import json_answer
from heksherlite.service.api.routes import NEEDED_SCOPE, ServiceRoute, requires
from heksherlite.service.domain.tokens import Scope

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'unsafe-inline' https://cdn.jsdelivr.net;"
    " style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https:; worker-src blob:;"
    " frame-ancestors 'none'"
)

_OPENAPI = "/openapi.json"

router = APIRouter(include_in_schema=False, route_class=ServiceRoute)


@router.get(_OPENAPI)
@requires(Scope.READ)
async def get_openapi(request: Request) -> Response:
    """Return the OpenAPI schema."""
    return json_answer(request.app.openapi())


@router.get("/docs")
@requires(Scope.READ)
async def get_docs(request: Request) -> Response:
    """Return a page to try the API out."""
    page = get_swagger_ui_html(openapi_url=_schema_url(request), title="heksherlite")
    return _careful(page)


@router.get("/redoc")
@requires(Scope.READ)
async def get_redoc(request: Request) -> Response:
    """Return a page to read about the API."""
    page = get_redoc_html(openapi_url=_schema_url(request), title="heksherlite", with_google_fonts=False)
    return _careful(page)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI schema, which says for each operation which scope its token needs."""
    schema = describe_reasons(FastAPI.openapi(app))
    if not app.state.authorizer.asks_for_tokens:
        return schema
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "api_token": {"type": "apiKey", "in": "header", "name": "api_token"},
    }
    for operations in schema["paths"].values():
        for operation in operations.values():
            if scope := operation.get(NEEDED_SCOPE):
                operation["security"] = [{"bearer": [scope]}, {"api_token": [scope]}]
    return schema


def _schema_url(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + _OPENAPI


def _careful(page: Response) -> Response:
    page.headers["content-security-policy"] = _CONTENT_SECURITY_POLICY
    return page
