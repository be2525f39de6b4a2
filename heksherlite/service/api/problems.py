"""Error responses: problem details (RFC 9457) for clients that ask for JSON, and the texts of the v1 API for others."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import Request, Response

from heksherlite.service.api.denials import note_denial

PROBLEM: Final = "application/problem+json"
"""The media type of problem details."""


def wants_problem(request: Request) -> bool:
    """Return whether a client asks for JSON: it accepts problem details, or prefers JSON to everything else."""
    accepted = [item.partition(";")[0].strip() for item in request.headers.get("accept", "").lower().split(",")]
    return accepted[0] == "application/json" or PROBLEM in accepted


def error_response(
    request: Request,
    status: int,
    detail: str,
    *,
    body: Mapping[str, Any] | None = None,
    extensions: Mapping[str, Any] | None = None,
    empty: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error response in the form that a client asks for.

    Args:
        request: The request.
        status: The status code.
        detail: What is wrong, for people.
        body: The JSON body of the v1 API; None if its body is the detail.
        extensions: Additional members of the problem details; by default, those of the body.
        empty: Whether the body of the v1 API is empty.
        headers: Additional response headers.
    """
    note_denial(request.scope, detail)
    if wants_problem(request):
        problem = {
            **(extensions if extensions is not None else body or {}),
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        return Response(orjson.dumps(problem), status, headers, PROBLEM)
    if empty:
        return Response(None, status, headers)
    if body is not None:
        return Response(orjson.dumps(body), status, headers, "application/json")
    return Response(detail, status, headers, "text/plain")
