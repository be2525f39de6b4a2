"""What the routes for tokens, applications and groups have in common.

They require a person with scope ``admin`` and no setting prefix, whom the service knows by a token, or on the pages by
a trusted proxy or an identity provider.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request
from pydantic import Field

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import Context
from heksherlite.service.api.responses import EVERY_WRITE, Responses, text_responses
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import BadRequestError
from heksherlite.service.storage.store import Store

ADMINISTRATION: Final[Responses] = {**text_responses(400, 404), **EVERY_WRITE}
"""The error responses of every write."""

NOT_STORED: Final = {"cache-control": "no-store"}
"""The headers of responses with a secret."""

ScopeName: TypeAlias = Annotated[Scope, Field(strict=False)]
EpochSeconds: TypeAlias = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""Seconds since the epoch, until the year 9999."""


async def _administered(request: Request, context: Context) -> Store:
    identity = request.state.identity
    if not identity.is_accountable:
        raise AccessDeniedError(
            403,
            "without --auth tokens, everyone could create tokens for later; use the command line on the database",
            needed_scope=Scope.ADMIN,
        )
    token = identity.token
    if token is not None and await context.store.applications.get(token.public_prefix.removeprefix("hkl_")) is not None:
        raise AccessDeniedError(
            403, "the token belongs to an application; only people manage access", needed_scope=Scope.ADMIN
        )
    return context.store


Administered: TypeAlias = Annotated[Store, Depends(_administered)]
"""The store, for a person who may manage tokens, applications and groups."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a ValueError of the domain into a response that says what is wrong with the request.

    Raises:
        BadRequestError: The block raised a ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise BadRequestError(str(error)) from error
