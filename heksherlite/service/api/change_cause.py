"""The author and the reason of a change, as the history records them."""

from json import JSONDecodeError
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Header, Request

from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.errors import InvalidError

REASON_HEADER: Final = "X-Change-Reason"
MAX_REASON_LENGTH: Final = 1_000
"""The maximal length of a reason, in characters."""

_ReasonHeader: TypeAlias = Annotated[
    str | None,
    Header(
        alias=REASON_HEADER,
        description="The reason for the change, recorded in the history. The field `reason` of the body has the same"
        " effect.",
        json_schema_extra={"maxLength": MAX_REASON_LENGTH},
    ),
]


def author_of(request: Request) -> Author:
    """Return the author of the changes that a request makes."""
    author: Author = request.state.identity.author
    return author


async def _cause(request: Request, reason_header: _ReasonHeader = None) -> Cause:
    if reason_header is not None:
        return await _header_cause(request, reason_header)
    return _cause_of(request, await _reason_field(request), ("body", "reason"))


async def _header_cause(request: Request, reason_header: _ReasonHeader = None) -> Cause:
    reason = None if reason_header is None else _decode_header(reason_header)
    return _cause_of(request, reason, ("header", REASON_HEADER))


def _cause_of(request: Request, reason: object, location: tuple[str, str]) -> Cause:
    if reason is None:
        return Cause(author_of(request))
    if not isinstance(reason, str) or len(reason) > MAX_REASON_LENGTH or "\0" in reason:
        raise InvalidError(
            f"a reason is a string of at most {MAX_REASON_LENGTH} characters without NUL", location=location
        )
    return Cause(author_of(request), reason.strip() or None)


ChangeCause: TypeAlias = Annotated[Cause, Depends(_cause)]
"""The author of the request, and the reason from its header, or else from the field ``reason`` of its body."""

HeaderCause: TypeAlias = Annotated[Cause, Depends(_header_cause)]
"""The author of the request, and the reason from its header. The body is not read."""


async def _reason_field(request: Request) -> object:
    # A body is optional for some writes, and v1 clients may send anything there.
    try:
        body = await request.json() if await request.body() else None
    except JSONDecodeError:
        return None
    return body.get("reason") if isinstance(body, dict) else None


def _decode_header(header: str) -> str:
    # ASGI servers decode header values as Latin-1, and most clients send UTF-8.
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header
