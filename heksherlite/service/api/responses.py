"""Responses that several resources share, and their descriptions for OpenAPI."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from heksherlite.service.api.bodies import BodyError
from heksherlite.service.api.problems import error_response
from heksherlite.service.api.slices import SlicedResponse
from heksherlite.service.errors import (
    BadRequestError,
    ConflictError,
    ConflictsError,
    DatabaseBusyError,
    DatabaseUnavailableError,
    DeclarationConflictError,
    DifferencesError,
    InvalidError,
    NotCaughtUpError,
    NotFoundError,
    NotPermittedError,
    OperationConflictsError,
    OutsidePrefixError,
    PreconditionFailedError,
    RequestError,
    TooLargeError,
    UnknownOutcomeError,
)
from heksherlite.service.fields import ResponseBody

Responses = dict[int | str, dict[str, Any]]


class ValidationProblem(ResponseBody):
    """One invalid part of a request: its location, a message and the kind of the problem."""

    loc: list[str | int]
    msg: str
    type: str


class ValidationProblems(ResponseBody):
    """All invalid parts of a request."""

    detail: list[ValidationProblem]


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return SlicedResponse(orjson.dumps(content), status, headers, "application/json")


def no_content() -> Response:
    """Return a 204 response, which has an empty body."""
    return Response(status_code=204)


_DESCRIPTIONS = {
    400: "The request contradicts itself or the setting.",
    404: "The request names something that does not exist.",
    409: "The request conflicts with what is stored.",
    408: "The body did not arrive in time.",
    412: "What is to be changed does not have the tag in If-Match: it was changed meanwhile.",
    413: "The body, or a value in it, is too large.",
    503: "The database is not available, or the request took too long. A write was not applied, unless the text says"
    " that the outcome is unknown.",
}


def text_responses(*statuses: int) -> Responses:
    """Describe responses that contain plain text."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


EMPTY_NOT_FOUND: Responses = {404: {"description": _DESCRIPTIONS[404]}}

INVALID: Responses = {422: {"model": ValidationProblems, "description": "The request is malformed."}}

EVERY_WRITE: Responses = {**text_responses(408, 413, 503), **INVALID}


_OPERATION_LENGTH: Final = 3  # of the place of an operation: body, operations, index

_STATUSES: Final[Mapping[type[RequestError], int]] = {
    BadRequestError: 400,
    NotPermittedError: 403,
    OutsidePrefixError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    PreconditionFailedError: 412,
    TooLargeError: 413,
    InvalidError: 422,
}


def status_of(error: RequestError) -> int:
    """Return the status of the response to a request that cannot be fulfilled."""
    return next(status for kind, status in _STATUSES.items() if isinstance(error, kind))


async def respond_to_request_error(request: Request, error: Exception) -> Response:
    """Return the response to a request that cannot be fulfilled."""
    if not isinstance(error, RequestError):
        raise error
    body = _body_of(error)
    return error_response(
        request,
        status_of(error),
        error.message,
        body=body,
        extensions={"errors": body["detail"]} if body is not None and isinstance(error, InvalidError) else None,
        empty=isinstance(error, NotFoundError) and _documents_empty_not_found(request),
    )


def _body_of(error: RequestError) -> dict[str, Any] | None:
    """Return the JSON body that describes an error, or None if the body is its message."""
    match error:
        case InvalidError():
            return {"detail": [{"loc": error.location, "msg": error.message, "type": "value_error"}]}
        case ConflictsError() | OperationConflictsError():
            return {"conflicts": error.conflicts}
        case DifferencesError():
            previous = {} if error.previous_version is None else {"previous_version": error.previous_version}
            missing = {} if error.missing_right is None else {"missing_right": error.missing_right}
            return {"outcome": error.outcome, **previous, "differences": error.differences, **missing}
        case DeclarationConflictError():
            return {"detail": error.message}
    return None


def _documents_empty_not_found(request: Request) -> bool:
    documented = request.scope["route"].responses
    return bool(documented.get(404) == EMPTY_NOT_FOUND[404])


async def respond_to_invalid(request: Request, error: Exception) -> Response:
    """Return the response to a malformed request. It does not repeat the request, which may be large or not JSON."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = []
    for problem in error.errors():
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "json_invalid":
            message = f"{message}: {problem['ctx']['error']}"
        location = [part if isinstance(part, int) else _encodable(part) for part in problem["loc"]]
        problems.append({**_place(location), "msg": _encodable(message), "type": problem["type"]})
    detail = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
    return error_response(request, 422, detail, body={"detail": problems}, extensions={"errors": problems})


def _encodable(text: str) -> str:
    # The keys of objects in a request may contain lone surrogates.
    return text.encode("utf-8", "replace").decode()


async def respond_to_body_error(request: Request, error: Exception) -> Response:
    """Return the response to a request whose body was not read."""
    if not isinstance(error, BodyError):
        raise error
    return error_response(request, error.status, error.detail, headers=error.headers)


async def respond_to_http_error(request: Request, error: Exception) -> Response:
    """Return the response to a request that no route matches; ``OPTIONS`` returns the methods of the path."""
    if not isinstance(error, HTTPException):
        raise error
    detail = str(error.detail)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["allow"] = ", ".join(_allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": headers["allow"]})
    body = {"detail": detail}
    return error_response(request, error.status_code, detail, body=body, extensions={}, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    candidates = ("GET", "POST", "PUT", "PATCH", "DELETE")
    allowed = [
        method
        for method in candidates
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return [*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"]


async def respond_to_unavailable(request: Request, error: Exception) -> Response:
    """Return the response to a request that requires the database while it is not available."""
    if not isinstance(error, DatabaseUnavailableError):
        raise error
    text, retry_after = "the database is not available; nothing was changed", 5
    if isinstance(error, UnknownOutcomeError):
        text = "the database connection was lost during the write; it was applied either completely or not at all"
    elif isinstance(error, DatabaseBusyError):
        text = "another write takes long, or what it changed is being read; nothing was changed, and trying again helps"
    elif isinstance(error, NotCaughtUpError):
        text = "this replica has not caught up with a revision known to the client, and the database is not available"
        retry_after = 1
    return error_response(request, 503, text, headers={"retry-after": str(retry_after)})


def _place(location: Sequence[str | int]) -> dict[str, Any]:
    """Return where a problem is; in a list of operations also as a path, such as ``operations[3].value``."""
    if [*location[:2]] != ["body", "operations"] or len(location) < _OPERATION_LENGTH:
        return {"loc": location}
    # Behind the index of an operation, pydantic has the kind of the operation.
    _, name, index, *rest = location
    inside = rest[1:]
    path = f"{name}[{index}]" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inside)
    return {"loc": ["body", name, index, *inside], "path": path}
