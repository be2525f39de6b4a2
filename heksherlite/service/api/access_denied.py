"""Requests that are denied: the error, and the JSON body that says what is missing."""

from collections.abc import Mapping

from fastapi import Request, Response

from heksherlite.service.api.problems import error_response
from heksherlite.service.api.responses import Responses
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import OutsidePrefixError, ServiceError
from heksherlite.service.fields import ResponseBody


class AccessDeniedResponse(ResponseBody):
    """The reason why a request was denied, and the scope or setting prefix that it requires."""

    detail: str
    needed_scope: Scope | None = None
    setting_prefix: str | None = None


ACCESS_DENIED_RESPONSES: Responses = {
    401: {"model": AccessDeniedResponse, "description": "The request has no valid token."},
    403: {"model": AccessDeniedResponse, "description": "The token does not permit this request."},
    429: {"model": AccessDeniedResponse, "description": "Too many attempts with invalid tokens, or too many writes."},
}


class AccessDeniedError(ServiceError):
    """A request was denied.

    Args:
        status: The status code of the response.
        detail: The reason, for people. It never contains any part of a token.
        needed_scope: The scope that the request requires.
        headers: Additional response headers.
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


async def respond_to_access_denied(request: Request, error: Exception) -> Response:
    """Return the response to a request that was denied."""
    if not isinstance(error, AccessDeniedError):
        raise error
    body = {"detail": error.detail}
    if error.needed_scope is not None:
        body["needed_scope"] = error.needed_scope
    return error_response(request, error.status, error.detail, body=body, headers=error.headers)


async def respond_to_outside_prefix(request: Request, error: Exception) -> Response:
    """Return the response to a request about settings outside the prefix of its token."""
    if not isinstance(error, OutsidePrefixError):
        raise error
    body = {
        "detail": error.message,
        "needed_scope": request.scope["route"].required.scope,
        "setting_prefix": error.setting_prefix,
    }
    return error_response(request, 403, error.message, body=body)
