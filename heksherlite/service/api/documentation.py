"""``/openapi.json``: the schema of the API, which requires a token as well."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ALTERNATIVE_SCOPES, NEEDED_SCOPE, ServiceRoute, requires
from heksherlite.service.domain.tokens import Scope

_OPENAPI = "/openapi.json"

router = APIRouter(include_in_schema=False, route_class=ServiceRoute)


@router.get(_OPENAPI)
@requires(Scope.READ)
async def get_openapi(request: Request, context: Context) -> Response:
    """Return the OpenAPI schema."""
    return json_response(schema_for(request, context))


def schema_for(request: Request, context: ServiceContext) -> dict[str, Any]:
    """Return the OpenAPI schema, with the URL of the service as the client of a request knows it."""
    schema: dict[str, Any] = request.app.openapi()
    if context.options.root_path or context.options.public_url:
        schema = {**schema, "servers": [{"url": context.base_url(request)}]}
    return schema


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
