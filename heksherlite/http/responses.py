"""Responses of httpx as those of the engine."""

from typing import Final

import httpx

from heksherlite.engine.messages import Request, Response

_MAX_ETAG_LENGTH: Final = 1000
"""The maximum length of an ETag that is sent back. Servers limit the size of headers."""

_MONITOR: Final = 'rel="monitor"'
"""The link relation by which a service offers its stream of changes, RFC 5989."""


def response_of(request: Request, response: httpx.Response, body: bytes) -> Response:
    """Return the response to a request.

    Args:
        request: The request.
        response: The response of httpx.
        body: The decompressed body.
    """
    headers = response.headers
    media_type, _, _ = headers.get("Content-Type", "").partition(";")
    offers_stream = _MONITOR in headers.get("Link", "")
    return Response(request, response.status_code, body, _etag(headers), media_type.strip(), offers_stream)


def _etag(headers: httpx.Headers) -> str | None:
    """Return the ETag if it can be sent back. A malformed one would make all later requests fail."""
    tags = headers.get_list("ETag")
    tag = tags[0] if len(tags) == 1 else ""
    return tag if tag.isascii() and tag.isprintable() and 0 < len(tag) <= _MAX_ETAG_LENGTH else None


def without_coding(headers: httpx.Headers) -> httpx.Headers:
    """Return the headers of the decompressed body."""
    about_the_body = {"content-encoding", "content-length", "transfer-encoding"}
    return httpx.Headers([item for item in headers.multi_items() if item[0].lower() not in about_the_body])
