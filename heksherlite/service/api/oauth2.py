"""``/o/token``: access tokens for applications, by client credentials (RFC 6749, section 4.4)."""

import logging
import math
import time
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from heksherlite.service.api.access_tokens import LIFETIME
from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.denials import note_denial
from heksherlite.service.api.forms import FORM, NotAFormError, parse_form
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.responses import json_response, text_responses
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.domain.audit import Action, AuditEvent
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.tokens import Scope, Token

_logger = logging.getLogger(__name__)

router = APIRouter(prefix="/o", tags=["grants"], route_class=ServiceRoute)

_NOT_STORED: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_CHALLENGE: Final = {"www-authenticate": 'Basic realm="heksherlite", charset="UTF-8"'}


class AccessTokenResponse(BaseModel):
    """An access token."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class OAuth2ErrorResponse(BaseModel):
    """An error of OAuth2 (RFC 6749, section 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class OAuth2Error(Exception):
    """A request for an access token was refused.

    Args:
        error: The error code.
        description: The reason, for people.
        status: The status code of the response.
        headers: Additional response headers.
    """

    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.headers = headers


_DESCRIPTION: Final[dict[str, Any]] = {
    "response_model": AccessTokenResponse,
    "responses": {
        400: {"model": OAuth2ErrorResponse, "description": "The request is malformed, or its scope is not granted."},
        401: {"model": OAuth2ErrorResponse, "description": "The client is unknown, or its secret is wrong."},
        429: {"model": OAuth2ErrorResponse, "description": "Too many failed attempts."},
        **text_responses(408, 413, 503),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"type": "string", "enum": ["client_credentials"]},
                            "scope": {"type": "string", "description": "Some of the scopes, separated by spaces."},
                            "client_id": {"type": "string", "description": "Required without HTTP Basic."},
                            "client_secret": {"type": "string", "description": "Required without HTTP Basic."},
                        },
                    }
                }
            },
        }
    },
}


@router.post("/token", **_DESCRIPTION)
@router.post("/token/", include_in_schema=False)
@public
async def issue_token(request: Request, context: Context, store: ReadableStore) -> Response:
    """Return an access token to a client that sends its secret by HTTP Basic or in the body."""
    try:
        token, scopes = await _grant(request, store, context)
    except OAuth2Error as error:
        note_denial(request.scope, str(error), Action.ISSUE_ACCESS_TOKEN)
        body = {"error": error.error, "error_description": str(error)}
        return json_response(body, error.status, {**_NOT_STORED, **error.headers})
    address = request.state.identity.address
    await context.audit.record(
        AuditEvent(
            action=Action.ISSUE_ACCESS_TOKEN,
            actor=Author("application", token.name, address, token.application_id),
            subject=token.application_id,
            details={"scopes": list(scopes)},
        )
    )
    granted = {
        "access_token": context.access_tokens.issue(token, scopes),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": " ".join(scopes),
    }
    return json_response(granted, headers=_NOT_STORED)


async def _grant(request: Request, store: StoreView, context: Context) -> tuple[Token, Sequence[Scope]]:
    parameters = _parameters(request.headers.get("content-type", ""), await request.body())
    client_id, client_secret = _client_credentials(request.headers.getlist("authorization"), parameters)
    if "grant_type" not in parameters:
        raise OAuth2Error("invalid_request", "the grant_type is missing")
    if parameters["grant_type"] != "client_credentials":
        raise OAuth2Error("unsupported_grant_type", "the grant_type must be client_credentials")
    application = await store.applications.get(client_id)
    token = None if application is None else application.token()
    if application is None or token is None or not application.has_client_secret(client_secret):
        raise _unknown_client(context, request.state.identity.address or "")
    return token, _scopes(parameters.get("scope"), token)


def _parameters(content_type: str, body: bytes) -> dict[str, str]:
    try:
        fields = parse_form(content_type, body)
    except NotAFormError as error:
        raise OAuth2Error("invalid_request", str(error)) from error
    except ValueError as error:
        raise OAuth2Error("invalid_request", "the body is malformed") from error
    repeated = [name for name, values in fields.items() if len(values) > 1]
    if repeated:
        raise OAuth2Error("invalid_request", f"the parameter {repeated[0][:100]!r} is repeated")
    return {name: values[0] for name, values in fields.items() if values[0]}  # empty means absent (section 3.2)


def _client_credentials(authorizations: Sequence[str], parameters: dict[str, str]) -> tuple[str, str]:
    if not authorizations:
        if "client_id" not in parameters or "client_secret" not in parameters:
            raise OAuth2Error("invalid_client", "the client credentials are missing", 401, **_CHALLENGE)
        return parameters["client_id"], parameters["client_secret"]
    scheme, _, credentials = authorizations[0].partition(" ")
    if len(authorizations) > 1 or "client_secret" in parameters:
        raise OAuth2Error("invalid_request", "the client credentials are repeated")
    try:
        decoded = b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        decoded = ""
    client_id, colon, client_secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise OAuth2Error("invalid_client", "the client credentials are malformed", 401, **_CHALLENGE)
    return unquote_plus(client_id), unquote_plus(client_secret)  # section 2.3.1


def _unknown_client(context: Context, address: str) -> OAuth2Error:
    wait = context.grant_limits.failed_clients.take(client_network(address), time.monotonic())
    level = context.repetition.level(logging.WARNING, address)
    _logger.log(level, "an OAuth2 client was refused: its address is %s", address, extra={"client": address})
    if wait:
        retry = {"retry-after": str(math.ceil(wait))}
        return OAuth2Error("invalid_client", "too many failed attempts", 429, **retry)
    return OAuth2Error(
        "invalid_client", "the client is unknown or was revoked, or its secret is wrong", 401, **_CHALLENGE
    )


def _scopes(requested: str | None, token: Token) -> Sequence[Scope]:
    if requested is None:
        return sorted(token.scopes)
    if not token.scopes.issuperset(requested.split()):
        granted = ", ".join(sorted(token.scopes)) or "none"
        raise OAuth2Error("invalid_scope", f"only these scopes are granted: {granted}")
    return [scope for scope in sorted(token.scopes) if scope in requested.split()]
