"""``/docs``, ``/redoc`` and ``/openapi.json``: the documentation of the API, which requires a token as well."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ALTERNATIVE_SCOPES, NEEDED_SCOPE, ServiceRoute, requires
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
async def get_openapi(request: Request, context: Context) -> Response:
    """Return the OpenAPI schema."""
    schema = request.app.openapi()
    if context.options.root_path or context.options.public_url:
        schema = {**schema, "servers": [{"url": context.base_url(request)}]}
    return json_response(schema)


@router.get("/docs")
@requires(Scope.READ)
async def get_docs() -> Response:
    """Return the interactive documentation."""
    page = get_swagger_ui_html(openapi_url=_OPENAPI.removeprefix("/"), title="heksherlite")
    return _with_policy(page)


@router.get("/redoc")
@requires(Scope.READ)
async def get_redoc() -> Response:
    """Return the documentation for reading."""
    page = get_redoc_html(openapi_url=_OPENAPI.removeprefix("/"), title="heksherlite", with_google_fonts=False)
    return _with_policy(page)


def openapi_schema(app: FastAPI, context: ServiceContext) -> dict[str, Any]:
    """Return the OpenAPI schema, with the scopes of which each operation requires one."""
    schema = FastAPI.openapi(app)
    if not context.authorizer.requires_tokens:
        return schema
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "api_token": {"type": "apiKey", "in": "header", "name": "api_token"},
    }
    for operations in schema["paths"].values():
        for operation in operations.values():
            if scope := operation.get(NEEDED_SCOPE):
                scopes = [scope, *operation.get(ALTERNATIVE_SCOPES, ())]
                operation["security"] = [{way: [each]} for each in scopes for way in ("bearer", "api_token")]
    return schema


def _with_policy(page: Response) -> Response:
    page.headers["content-security-policy"] = _CONTENT_SECURITY_POLICY
    return page
