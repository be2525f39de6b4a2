"""``/o/revoke`` (RFC 7009) and ``/o/introspect`` (RFC 7662): the end and the description of tokens."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict

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
)
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import ServiceRoute, public
from heksherlite.service.domain.applications import Application, Status
from heksherlite.service.domain.audit import Action
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.credentials import application_of
from heksherlite.service.domain.tokens import Token, find_token
from heksherlite.service.fields import ResponseBody

router = APIRouter(prefix="/o", tags=["grants"], route_class=ServiceRoute)

_TOKEN_FIELDS: Final[dict[str, Any]] = {
    "token": {"type": "string"},
    "token_type_hint": {"type": "string", "enum": ["access_token", "refresh_token"]},
    **CLIENT_FIELDS,
}


class Revoked(ResponseBody):
    """Nothing: the status says it all."""


class Introspection(ResponseBody):
    """What a token allows; only ``active`` if it is invalid. Times are in seconds since the epoch."""

    model_config = ConfigDict(extra="forbid")

    active: bool
    scope: str | None = None
    client_id: str | None = None
    username: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    sub: str | None = None
    iss: str | None = None


@router.post(
    "/revoke", response_model=Revoked, responses=ERRORS, openapi_extra=form_description(["token"], **_TOKEN_FIELDS)
)
@public
async def revoke_token(request: Request, context: Context) -> Response:
    """Revoke an access token, or with its refresh token or API token, everything that the application has."""
    try:
        await _revoke(request, context)
    except OAuth2Error as error:
        return refuse(request, error, Action.REVOKE_TOKEN)
    return json_response({}, headers=NOT_STORED)


@router.post(
    "/introspect",
    response_model=Introspection,
    response_model_exclude_none=True,
    responses=ERRORS,
    openapi_extra=form_description(["token"], **_TOKEN_FIELDS),
)
@public
async def introspect_token(request: Request, context: Context) -> Response:
    """Describe a token to an application that authenticates."""
    try:
        parameters = await read_parameters(request)
        await authenticate(request, context, parameters)
        described = await _described(context, _sent(parameters))
    except OAuth2Error as error:
        return refuse(request, error, Action.SEND_REQUEST)
    if described["active"]:
        described["iss"] = context.base_url(request)
    return json_response(described, headers=NOT_STORED)


async def _revoke(request: Request, context: ServiceContext) -> None:
    parameters = await read_parameters(request)
    sent = _sent(parameters)
    client_id, client_secret = client_credentials(request, parameters, is_public=True)
    owner = await _owner(context, sent)
    if client_secret is not None:
        client = await authenticate(request, context, parameters)
        if owner is not None and owner.id != client.id:
            raise OAuth2Error("invalid_grant", "the token belongs to another client")
    elif owner is not None and client_id not in {owner.id, owner.identifier}:
        raise OAuth2Error("invalid_grant", "the token belongs to another client")
    if owner is None:
        if find_token(context.store.tokens, sent.encode()) is not None:
            raise OAuth2Error(
                "unsupported_token_type", "the token belongs to no client; heksherlite token revoke revokes it"
            )
        return  # unknown tokens are as good as revoked ones
    author = Author("application", owner.identifier, request.state.identity.address, owner.id)
    if context.access_tokens.has_shape(sent.encode()):
        await context.store.applications.revoke_access_token(
            sent, Cause(author), expires_at=context.access_tokens.latest_expiry(), now=context.store.now().timestamp()
        )
        return
    if owner.status is Status.PUBLIC:
        raise OAuth2Error(
            "unsupported_token_type", "the application is public, so everybody has its token; an operator revokes it"
        )
    await context.store.applications.revoke([owner.id], Cause(author, "revoked by the application"))


async def _owner(context: ServiceContext, sent: str) -> Application | None:
    """Return the application to which a token belongs, or None if it belongs to none."""
    application_id = application_of("claim", sent)
    if application_id is not None:
        application = await context.store.applications.get(application_id)
        now = context.store.now().timestamp()
        return None if application is None else application.with_claim_token(sent, now)
    token = context.authorizer.find_token(sent.encode())
    if token is None or token.application_id is None:
        return None
    return await context.store.applications.get(token.application_id)


async def _described(context: ServiceContext, sent: str) -> dict[str, Any]:
    application = await _owner(context, sent)
    token: Token | None
    if application_of("claim", sent) is not None:
        token = None if application is None else application.token()
    else:
        token = context.authorizer.find_token(sent.encode())
    if token is None or token.expired(context.store.now().timestamp()):
        return {"active": False}
    described: dict[str, Any] = {
        "active": True,
        "scope": " ".join(sorted(token.scopes)),
        "username": token.name,
        "token_type": "Bearer",
        "iat": token.created_at,
        "sub": token.application_id or token.public_prefix,
    }
    if token.application_id is not None:
        described["client_id"] = token.application_id
    if token.expires_at is not None:
        described["exp"] = token.expires_at
    return described


def _sent(parameters: dict[str, str]) -> str:
    if "token" not in parameters:
        raise OAuth2Error("invalid_request", "the token is missing")
    return parameters["token"]
