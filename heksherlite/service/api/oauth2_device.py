"""``/o/device_authorization``: device codes for standard clients (RFC 8628).

The codes are those of ``/f/start/``, and people approve them on the same pages. The ``client_id`` is the identifier
that the application chooses for itself.
"""

import time
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.context import Context
from heksherlite.service.api.oauth2_requests import (
    ERRORS,
    NOT_STORED,
    OAuth2Error,
    client_credentials,
    form_description,
    read_parameters,
    refuse,
)
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.domain.audit import Action
from heksherlite.service.domain.device_codes import LIFETIME, code_digest
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.errors import ConflictError
from heksherlite.service.fields import ResponseBody

router = APIRouter(prefix="/o", tags=["grants"], route_class=ServiceRoute)

_INTERVAL: Final = 2
"""How long clients wait between two requests for the token, in seconds."""


class DeviceAuthorizationResponse(ResponseBody):
    """The code that a person enters, and the secret with which the client collects its token."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


@router.post(
    "/device_authorization",
    response_model=DeviceAuthorizationResponse,
    responses=ERRORS,
    openapi_extra=form_description(
        ["client_id"],
        client_id={"type": "string", "description": "The identifier that the application chooses for itself."},
        scope={"type": "string", "description": "The requested scopes, separated by spaces."},
    ),
)
@public
async def authorize_device(request: Request, context: Context) -> Response:
    """Return a new code that a person approves or denies."""
    try:
        granted = await _start(request, context)
    except OAuth2Error as error:
        return refuse(request, error, Action.ACTIVATE_APPLICATION)
    return json_response(granted, headers=NOT_STORED)


async def _start(request: Request, context: Context) -> dict[str, Any]:
    parameters = await read_parameters(request)
    client_id, _ = client_credentials(request, parameters, is_public=True)
    try:
        manifest = Manifest(identifier=client_id, scopes=tuple(parameters.get("scope", "").split()))
    except ValueError as error:
        raise OAuth2Error("invalid_request", str(error)) from error
    address, now = request.state.identity.address, context.store.now().timestamp()
    if context.grant_limits.starts.take(client_network(address or ""), time.monotonic()):
        description = "too many codes were requested from this address"
        raise OAuth2Error("slow_down", description, 429, **{"retry-after": "3"})
    try:
        code = await context.store.device_codes.start(manifest, address, now)
    except ConflictError as error:
        raise OAuth2Error("slow_down", error.message, 429, **{"retry-after": "60"}) from error
    base_url = context.base_url(request)
    query = urlencode({"device_code": code, "grant": "device_code"})
    return {
        "device_code": f"{code}.{context.device_codes.secret_of(code_digest(code), int(now))}",
        "user_code": code,
        "verification_uri": f"{base_url}/f/device",
        "verification_uri_complete": f"{base_url}/f/configure/?{query}",
        "expires_in": LIFETIME,
        "interval": _INTERVAL,
    }
