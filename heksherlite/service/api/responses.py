"""The answers that several resources give, and how OpenAPI describes them."""

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from heksherlite.service.errors import (
    BadRequestError,
    ConflictError,
    ConflictsError,
    DatabaseUnavailableError,
    DeclarationConflictError,
    DifferencesError,
    InvalidError,
    NotCaughtUpError,
    NotFoundError,
    OutsidePrefixError,
    RequestError,
    TooLargeError,
    UnknownOutcomeError,
)

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """One thing that is wrong with a request, and where."""

    loc: list[str | int]
    msg: str
    type: str


class Problems(BaseModel):
    """What is wrong with a request."""

    detail: list[Problem]


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def no_content() -> Response:
    """Answer 204, with an empty body."""
    return Response(status_code=204)


_MEANINGS = {
    400: "The request contradicts itself or the setting.",
    404: "What the request names does not exist.",
    409: "The request is at odds with what is stored.",
    408: "The body did not arrive in time.",
    413: "The body is too large, or a value in it.",
    503: "The database cannot be reached: a write was not made, unless the text says that this is not known."
    " Or the request took too long.",
}


def text_responses(*statuses: int) -> Responses:
    """Describe statuses that come with a text."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


EMPTY_NOT_FOUND: Responses = {404: {"description": _MEANINGS[404]}}

INVALID: Responses = {422: {"model": Problems, "description": "The request is malformed."}}

EVERY_WRITE: Responses = {**text_responses(408, 413, 503), **INVALID}


_STATUSES: Final[Mapping[type[RequestError], int]] = {
    BadRequestError: 400,
    OutsidePrefixError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooLargeError: 413,
    InvalidError: 422,
}


def status_of(error: RequestError) -> int:
    """Return the status of the response to a request that cannot be carried out."""
    return next(status for kind, status in _STATUSES.items() if isinstance(error, kind))


async def respond_to_request_error(request: Request, error: Exception) -> Response:
    """Respond to a request that cannot be carried out."""
    if not isinstance(error, RequestError):
        raise error
    status, body = status_of(error), _body_of(error)
    if body is not None:
        return json_answer(body, status)
    if isinstance(error, NotFoundError) and _documents_empty_not_found(request):
        return Response(status_code=status)
    return Response(error.message, status, media_type="text/plain")


def _body_of(error: RequestError) -> dict[str, Any] | None:
    """Return the JSON that describes an error, or None if its message does."""
    match error:
        case InvalidError():
            return {"detail": [{"loc": error.location, "msg": error.message, "type": "value_error"}]}
        case ConflictsError():
            return {"conflicts": error.conflicts}
        case DifferencesError():
            previous = {} if error.previous_version is None else {"previous_version": error.previous_version}
            return {"outcome": error.outcome, **previous, "differences": error.differences}
        case DeclarationConflictError():
            return {"detail": error.message}
    return None


def _documents_empty_not_found(request: Request) -> bool:
    documented = request.scope["route"].responses
    return bool(documented.get(404) == EMPTY_NOT_FOUND[404])


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """Answer a malformed request. What was sent is not repeated: it may be large, or no JSON at all."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = []
    for problem in error.errors():
        message = problem["msg"]
        if problem["type"] == "json_invalid":
            message = f"{message}: {problem['ctx']['error']}"
        problems.append({"loc": problem["loc"], "msg": message, "type": problem["type"]})
    return Response(json.dumps({"detail": problems}), 422, media_type="application/json")


async def answer_unavailable(_request: Request, error: Exception) -> Response:
    """Answer what cannot be done without the database, while it cannot be reached."""
    if not isinstance(error, DatabaseUnavailableError):
        raise error
    text, retry_after = "the database cannot be reached or written right now; nothing was changed", 5
    if isinstance(error, UnknownOutcomeError):
        text = "the database was lost during the write; it is either made as a whole or not at all"
    elif isinstance(error, NotCaughtUpError):
        text = "a newer state is known than this replica has, and the database cannot be reached right now"
        retry_after = 1
    return Response(text, 503, {"retry-after": str(retry_after)}, "text/plain")
