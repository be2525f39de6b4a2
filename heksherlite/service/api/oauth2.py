"""``/o/token``: access tokens for applications, by client credentials (RFC 6749, section 4.4)."""

import logging
import math
import time
from base64 import b64decode
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from heksherlite.service.api.grants_state import GrantsOfApp, GrantsState
from heksherlite.service.api.responses import json_answer, text_responses
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.api.service_state import StoreOfApp
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.domain.access_tokens import LIFETIME, AccessTokens
from heksherlite.service.domain.rates import RateLimiter
from heksherlite.service.domain.tokens import Scope, Token

_logger = logging.getLogger(__name__)

router = APIRouter(prefix="/o", tags=["grants"], route_class=ServiceRoute)

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 20
_NOT_STORED: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_CHALLENGE: Final = {"www-authenticate": 'Basic realm="heksherlite", charset="UTF-8"'}


class AccessTokenAnswer(BaseModel):
    """An access token."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class OAuth2Error(BaseModel):
    """Why there is none."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class _OAuth2Error(Exception):
    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.headers = headers


async def _access_tokens(request: Request) -> AccessTokens:
    tokens: AccessTokens = request.app.state.access_tokens
    return tokens


_DESCRIPTION: Final[dict[str, Any]] = {
    "response_model": AccessTokenAnswer,
    "responses": {
        400: {"model": OAuth2Error, "description": "The request is malformed, or asks for what it may not have."},
        401: {"model": OAuth2Error, "description": "The client is unknown, or its secret is wrong."},
        429: {"model": OAuth2Error, "description": "Too many attempts with wrong secrets."},
        **text_responses(408, 413, 503),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"type": "string", "enum": ["client_credentials"]},
                            "scope": {"type": "string", "description": "Some of the scopes, separated by spaces."},
                            "client_id": {"type": "string", "description": "Unless it comes as HTTP Basic."},
                            "client_secret": {"type": "string"},
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
async def issue_token(
    request: Request,
    store: StoreOfApp,
    access_tokens: Annotated[AccessTokens, Depends(_access_tokens)],
    grants: GrantsOfApp,
) -> Response:
    """Return an access token for the API, for a client that proves its secret by HTTP Basic or in the body."""
    try:
        token, scopes = await _granted(request, store, grants)
    except _OAuth2Error as refused:
        body = {"error": refused.error, "error_description": str(refused)}
        return json_answer(body, refused.status, {**_NOT_STORED, **refused.headers})
    answer = {
        "access_token": access_tokens.issue(token, scopes, time.time()),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": " ".join(scopes),
    }
    return json_answer(answer, headers=_NOT_STORED)


async def _granted(request: Request, store: StoreView, grants: GrantsState) -> tuple[Token, list[Scope]]:
    form = _read_form(request.headers.get("content-type", ""), await request.body())
    client_id, client_secret = _client(request.headers.getlist("authorization"), form)
    if "grant_type" not in form:
        raise _OAuth2Error("invalid_request", "there is no grant_type")
    if form["grant_type"] != "client_credentials":
        raise _OAuth2Error("unsupported_grant_type", "the grant_type must be client_credentials")
    application = await store.applications.get(client_id)
    token = None if application is None else application.token()
    if application is None or token is None or not application.has_client_secret(client_secret):
        raise _unknown_client(grants.failed_clients, request.state.identity.address or "")
    return token, _scopes(form.get("scope"), token)


def _read_form(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise _OAuth2Error("invalid_request", f"the body must be {_FORM}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise _OAuth2Error("invalid_request", "the body is malformed") from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _OAuth2Error("invalid_request", "a parameter is there more than once")
    return {name: value for name, value in form.items() if value}  # as if they were not there (section 3.2)


def _client(authorizations: list[str], form: dict[str, str]) -> tuple[str, str]:
    if not authorizations:
        if "client_id" not in form or "client_secret" not in form:
            raise _OAuth2Error("invalid_client", "no client credentials were sent", 401, **_CHALLENGE)
        return form["client_id"], form["client_secret"]
    scheme, _, credentials = authorizations[0].partition(" ")
    if len(authorizations) > 1 or "client_secret" in form:
        raise _OAuth2Error("invalid_request", "the client credentials are there more than once")
    try:
        decoded = b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        decoded = ""
    client_id, colon, client_secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _OAuth2Error("invalid_client", "the client credentials are malformed", 401, **_CHALLENGE)
    return unquote_plus(client_id), unquote_plus(client_secret)  # section 2.3.1


def _unknown_client(failures: RateLimiter, address: str) -> _OAuth2Error:
    wait = failures.take(address, time.monotonic())
    _logger.warning("an OAuth2 client was refused", extra={"client": address})
    if wait:
        retry = {"retry-after": str(math.ceil(wait))}
        return _OAuth2Error("invalid_client", "too many attempts with wrong secrets", 429, **retry)
    return _OAuth2Error(
        "invalid_client", "the client is unknown or was revoked, or its secret is wrong", 401, **_CHALLENGE
    )


def _scopes(asked: str | None, token: Token) -> list[Scope]:
    if asked is None:
        return sorted(token.scopes)
    if not token.scopes.issuperset(asked.split()):
        granted = ", ".join(sorted(token.scopes)) or "none"
        raise _OAuth2Error("invalid_scope", f"only these scopes were granted: {granted}")
    return [scope for scope in sorted(token.scopes) if scope in asked.split()]
