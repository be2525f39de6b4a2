"""``/.well-known/oauth-authorization-server``: where OAuth2 clients find what (RFC 8414)."""

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context
from heksherlite.service.api.oauth2 import GRANT_TYPES
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.fields import ResponseBody

router = APIRouter(tags=["grants"], route_class=ServiceRoute)

_WITH_SECRET = ["client_secret_basic", "client_secret_post"]


class ServerMetadata(ResponseBody):
    """The metadata of the authorization server."""

    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str
    revocation_endpoint: str
    introspection_endpoint: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]


@router.get("/.well-known/oauth-authorization-server", response_model=ServerMetadata)
@public
async def describe_server(request: Request, context: Context) -> Response:
    """Return the URLs of the routes for OAuth2 clients, and what they support."""
    base_url = context.base_url(request)
    return json_response(
        {
            "issuer": base_url,
            "token_endpoint": f"{base_url}/o/token",
            "device_authorization_endpoint": f"{base_url}/o/device_authorization",
            "revocation_endpoint": f"{base_url}/o/revoke",
            "introspection_endpoint": f"{base_url}/o/introspect",
            "grant_types_supported": list(GRANT_TYPES),
            "response_types_supported": [
                "none"
            ],  # there is no authorization endpoint, and clients refuse an empty list
            "scopes_supported": list(Scope),
            "token_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
            "revocation_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
            "introspection_endpoint_auth_methods_supported": _WITH_SECRET,
        }
    )
