"""Answers to those who may not do what they ask for: JSON that says what is missing."""

from collections.abc import Mapping

from fastapi import Request, Response
from pydantic import BaseModel

from heksherlite.service.api.responses import Responses, json_answer
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import OutsidePrefixError, ServiceError


class AccessDeniedResponse(BaseModel):
    """Why a request was refused, and what it takes."""

    detail: str
    needed_scope: Scope | None = None
    setting_prefix: str | None = None


ACCESS_DENIED_RESPONSES: Responses = {
    401: {"model": AccessDeniedResponse, "description": "A token is needed, and none was sent that is of use."},
    403: {"model": AccessDeniedResponse, "description": "The token does not reach that far."},
    429: {"model": AccessDeniedResponse, "description": "Too many attempts with wrong tokens, or too many writes."},
}


class AccessDeniedError(ServiceError):
    """A request that is not let in.

    Args:
        status: The status of the answer.
        detail: Why, for people. It repeats nothing of a token.
        needed_scope: The scope that the request needs.
        headers: The headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        needed_scope: Scope | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.needed_scope = needed_scope
        self.headers = dict(headers or {})


async def respond_to_access_denied(_request: Request, error: Exception) -> Response:
    """Answer a request that was not let in."""
    if not isinstance(error, AccessDeniedError):
        raise error
    body = {"detail": error.detail}
    if error.needed_scope is not None:
        body["needed_scope"] = error.needed_scope
    return json_answer(body, error.status, error.headers)


async def respond_to_outside_prefix(request: Request, error: Exception) -> Response:
    """Answer a request about settings that its token does not reach."""
    if not isinstance(error, OutsidePrefixError):
        raise error
    body = {
        "detail": error.message,
        "needed_scope": request.scope["route"].required.scope,
        "setting_prefix": error.setting_prefix,
    }
    return json_answer(body, 403)
