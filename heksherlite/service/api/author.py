"""Who makes a request, and why: what the history tells about the changes that it makes."""

from json import JSONDecodeError
from typing import Any, Final

from fastapi import Request

from heksherlite.service.domain.history import Author, Cause
from heksherlite.service.errors import InvalidError

REASON_HEADER: Final = "X-Change-Reason"
LONGEST_REASON: Final = 1_000
"""How many characters a reason may have."""


def author_of(request: Request) -> Author:
    """Return who makes a request."""
    identity = request.state.identity
    return Author(identity.kind, identity.name, identity.address)


async def cause_of(request: Request, *, reverts: int | None = None) -> Cause:
    """Return who makes a request, and the reason in its header or else in the field ``reason`` of its body.

    Args:
        request: The request, whose body was read already.
        reverts: The revision that it undoes, if it does.

    Raises:
        InvalidError: The reason is too long, or no text.
    """
    header = request.headers.get(REASON_HEADER)
    if header is None:
        location, reason = ("body", "reason"), await _field(request)
    else:
        location, reason = ("header", REASON_HEADER), _decoded(header)
    if not (reason is None or (isinstance(reason, str) and len(reason) <= LONGEST_REASON and "\0" not in reason)):
        raise InvalidError(f"a reason is a text of at most {LONGEST_REASON} characters", location=location)
    return Cause(author_of(request), (reason or "").strip() or None, reverts)


def describe_reasons(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the header with the reason to all writes of the API in an OpenAPI schema, and return the schema."""
    header = {
        "name": REASON_HEADER,
        "in": "header",
        "description": "Why, for the history. A field `reason` in the body does the same.",
        "schema": {"type": "string", "maxLength": LONGEST_REASON},
    }
    for path, operations in schema["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in operations.items():
            if method != "get" and header not in operation.setdefault("parameters", []):
                operation["parameters"].append(header)
    return schema


async def _field(request: Request) -> object:
    # Whatever comes with a request that needs no body has always been ignored.
    try:
        body = await request.json() if await request.body() else None
    except JSONDecodeError:
        return None
    return body.get("reason") if isinstance(body, dict) else None


def _decoded(header: str) -> str:
    # The header arrives as bytes that were taken for Latin-1, and most programs mean UTF-8.
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header
