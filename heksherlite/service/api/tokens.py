"""``/api/v1/tokens``: the tokens of the service."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from heksherlite.names import SETTING_NAME
from heksherlite.service.api.administration import (
    ADMINISTRATION,
    NOT_STORED,
    Administered,
    EpochSeconds,
    ScopeName,
    refusals,
)
from heksherlite.service.api.change_cause import ChangeCause
from heksherlite.service.api.responses import json_response, no_content
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.errors import BadRequestError, NotFoundError
from heksherlite.service.fields import RequestBody, ResponseBody
from heksherlite.service.storage.tokens import add_token, list_tokens, remove_token

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"], route_class=ServiceRoute)


class TokenDescription(ResponseBody):
    """A token without its secret. Times are in seconds since the epoch; a token without expiry never expires."""

    name: str
    public_prefix: str
    scopes: list[Scope]
    setting_prefix: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    owner: str | None = Field(description="The person that the token belongs to.")


class TokenList(ResponseBody):
    """All tokens, the oldest first."""

    tokens: list[TokenDescription]


class NewToken(RequestBody):
    """A token to create."""

    name: str
    scopes: Annotated[list[ScopeName], Field(min_length=1)]
    setting_prefix: str = ""
    expires_at: EpochSeconds | None = None
    owner: str | None = Field(
        None,
        description="The person that the token belongs to, who does not approve their own proposals with it. By"
        " default, the person who creates it, or the owner of the token of the request.",
    )


class CreatedToken(ResponseBody):
    """A new token with its secret, which is in this response only."""

    token: str


@router.get("", response_model=TokenList)
@requires(Scope.ADMIN, all_settings=True)
async def get_tokens(store: Administered) -> Response:
    """List the tokens, without their secrets."""
    return json_response({"tokens": [known.described() for known in await list_tokens(store.access)]})


@router.post("", status_code=201, response_model=CreatedToken, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def create_token(body: NewToken, store: Administered, cause: ChangeCause) -> Response:
    """Create a token."""
    if body.setting_prefix and SETTING_NAME.fullmatch(body.setting_prefix) is None:
        raise BadRequestError(f"the name of a setting cannot begin with {body.setting_prefix[:100]!r}")
    with refusals():
        now = store.now().timestamp()
        text, token = new_token(
            body.name,
            body.scopes,
            now=now,
            setting_prefix=body.setting_prefix,
            expires_at=body.expires_at,
            owner=body.owner or cause.author.person,
        )
        await add_token(store.access, token, cause)
    return _created({"token": text})


@router.delete("/{name}", status_code=204, responses=ADMINISTRATION)
@requires(Scope.ADMIN, all_settings=True)
async def revoke_token(name: str, store: Administered, cause: ChangeCause) -> Response:
    """Revoke a token by its name or public prefix."""
    if not await remove_token(store.access, name, cause):
        raise NotFoundError(f"there is no token named {name[:100]!r}")
    return no_content()


def _created(content: dict[str, Any]) -> Response:
    return json_response(content, 201, NOT_STORED)
