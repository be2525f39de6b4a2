"""``/o/token``: access tokens for applications.

An application authenticates with its client secret (RFC 6749, section 4.4), with a device code that a person approved
(RFC 8628), or with the refresh token that it then received, which is its claim token.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response

from heksherlite.service.api.access_tokens import LIFETIME
from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.oauth2_requests import (
    CLIENT_FIELDS,
    ERRORS,
    NOT_STORED,
    OAuth2Error,
    authenticate,
    client_credentials,
    form_description,
    read_parameters,
    refuse,
    refuse_client,
)
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.audit import Action, AuditEvent
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.credentials import application_of
from heksherlite.service.domain.device_codes import CodeState, code_digest
from heksherlite.service.domain.tokens import Scope, Token
from heksherlite.service.fields import ResponseBody

router = APIRouter(prefix="/o", tags=["grants"], route_class=ServiceRoute)

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES: Final = ("client_credentials", DEVICE_CODE, "refresh_token")


class AccessTokenResponse(ResponseBody):
    """An access token. Only an application that a person approved receives a refresh token."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    refresh_token: str | None = None


@router.post(
    "/token",
    response_model=AccessTokenResponse,
    response_model_exclude_none=True,
    responses=ERRORS,
    openapi_extra=form_description(
        ["grant_type"],
        grant_type={"type": "string", "enum": list(GRANT_TYPES)},
        scope={"type": "string", "description": "Some of the scopes, separated by spaces."},
        device_code={"type": "string", "description": "The device code, for its grant type."},
        refresh_token={"type": "string", "description": "The refresh token, for its grant type."},
        **CLIENT_FIELDS,
    ),
)
@router.post("/token/", include_in_schema=False)
@public
async def issue_token(request: Request, context: Context) -> Response:
    """Return an access token."""
    refresh_token: str | None = None
    try:
        parameters = await read_parameters(request)
        grant_type = parameters.get("grant_type")
        if grant_type == DEVICE_CODE:
            token, refresh_token = await _by_device_code(request, context, parameters)
        elif grant_type == "refresh_token":
            token, refresh_token = await _by_refresh_token(request, context, parameters)
        else:
            application = await authenticate(request, context, parameters)
            if grant_type is None:
                raise OAuth2Error("invalid_request", "the grant_type is missing")  # noqa: TRY301
            if grant_type != "client_credentials":
                raise OAuth2Error("unsupported_grant_type", f"the grant_type must be one of {', '.join(GRANT_TYPES)}")  # noqa: TRY301
            token = _token_of(application)
        scopes = _scopes(parameters.get("scope"), token)
    except OAuth2Error as error:
        return refuse(request, error, Action.ISSUE_ACCESS_TOKEN)
    context.store.access.token_uses.used.add(token.public_prefix)
    address = request.state.identity.address
    await context.audit.record(
        AuditEvent(
            action=Action.ISSUE_ACCESS_TOKEN,
            actor=Author("application", token.name, address, token.application_id),
            subject=token.application_id,
            details={"scopes": list(scopes)},
        )
    )
    granted: dict[str, Any] = {
        "access_token": context.access_tokens.issue(token, scopes),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": " ".join(scopes),
    }
    if refresh_token is not None:
        granted["refresh_token"] = refresh_token
    return json_response(granted, headers=NOT_STORED)


async def _by_device_code(request: Request, context: ServiceContext, parameters: dict[str, str]) -> tuple[Token, str]:
    client_id, _ = client_credentials(request, parameters, is_public=True)
    user_code, _, secret = parameters.get("device_code", "").partition(".")
    store, now, digest = context.store, context.store.now().timestamp(), code_digest(user_code)
    known = await store.device_codes.find(user_code) if secret else None
    address = request.state.identity.address or ""
    if known is None or known.manifest.identifier != client_id or not context.device_codes.has_secret(known, secret):
        wait = context.grant_limits.failed_clients.take(client_network(address), time.monotonic())
        status, retry = (429, {"retry-after": "6"}) if wait else (400, {})
        raise OAuth2Error("invalid_grant", "the device code is unknown, or not for this client", status, **retry)
    if context.grant_limits.polls.take(digest.hex(), time.monotonic()):
        raise OAuth2Error("slow_down", "the client asks too often")
    state = known.state(now)
    if state in {CodeState.WAITING, CodeState.OPENED}:
        raise OAuth2Error("authorization_pending", "nobody has approved the application yet")
    if state is CodeState.DENIED:
        raise OAuth2Error("access_denied", "the application was denied or revoked")
    author = Author("application", known.manifest.identifier, address, known.application_id)
    claim_token = await store.device_codes.collect(user_code, Cause(author), now)
    if claim_token is None or known.application_id is None:
        raise OAuth2Error("expired_token", "the device code has expired, or was used")
    application = await store.applications.get(known.application_id)
    if application is None:
        raise OAuth2Error("access_denied", "the application was revoked")
    return _token_of(application), claim_token


async def _by_refresh_token(request: Request, context: ServiceContext, parameters: dict[str, str]) -> tuple[Token, str]:
    sent = parameters.get("refresh_token", "")
    application_id = application_of("claim", sent)
    known = None if application_id is None else await context.store.applications.get(application_id)
    application = None if known is None else known.with_claim_token(sent, context.store.now().timestamp())
    if application is None:
        raise refuse_client(context, request.state.identity.address or "", error="invalid_grant")
    if parameters.get("client_id", application.id) not in {application.id, application.identifier}:
        raise OAuth2Error("invalid_grant", "the refresh token belongs to another client")
    return _token_of(application), sent


def _token_of(application: Application) -> Token:
    token = application.token()
    if token is None:
        raise OAuth2Error("invalid_grant", "the application has not collected its token")
    return token


def _scopes(requested: str | None, token: Token) -> Sequence[Scope]:
    if requested is None:
        return sorted(token.scopes)
    if not token.scopes.issuperset(requested.split()):
        granted = ", ".join(sorted(token.scopes)) or "none"
        raise OAuth2Error("invalid_scope", f"only these scopes are granted: {granted}")
    return [scope for scope in sorted(token.scopes) if scope in requested.split()]
