"""Makes responses of the engine from those of httpx."""

from typing import Final

import httpx

from heksherlite.engine.messages import Request, Response
from heksherlite.engine.web_pages import describe_web_page
from heksherlite.errors import ServiceResponseError
from heksherlite.http.bodies import BodyTooLargeError, read_body
from heksherlite.http.failures import HTTPStatusError
from heksherlite.http.urls import printable, shown_url

_MAX_ETAG_LENGTH: Final = 1000
"""The maximum length of an ETag that is sent back. Servers limit the size of headers."""

_LONGEST_TEXT: Final = 200
"""The number of bytes of a body that a message shows."""

_MONITOR: Final = 'rel="monitor"'
"""The link relation by which a service offers its stream of changes, RFC 5989."""


async def read_response(request: Request, response: httpx.Response, max_body_size: int) -> Response:
    """Read the body of a streamed response, and return the response to the request.

    Args:
        request: The request.
        response: The response of httpx.
        max_body_size: The maximum size of the body in bytes, before and after decompression.

    Raises:
        httpx.HTTPStatusError: If the status is not one that the request accepts.
        ServiceResponseError: If the body is too large or malformed.
    """
    try:
        body = await read_body(response, max_body_size)
    except BodyTooLargeError:
        reason = f"larger than the max_body_size of {max_body_size} bytes"
        raise ServiceResponseError(str(request), reason) from None
    except ValueError as error:
        raise ServiceResponseError(str(request), str(error)) from None
    if response.status_code not in request.accept:
        status = f"{response.status_code} {response.reason_phrase}"
        shown = _redirect(response) or describe_web_page(_media_type(response.headers), body) or _text(body)
        message = f"unexpected status {status} for {request}: {shown}"
        kept = httpx.Response(
            response.status_code, headers=without_coding(response.headers), content=body, request=response.request
        )
        raise HTTPStatusError(message, request=response.request, response=kept)
    return response_of(request, response, body)


def response_of(request: Request, response: httpx.Response, body: bytes) -> Response:
    """Return the response to a request.

    Args:
        request: The request.
        response: The response of httpx.
        body: The decompressed body.
    """
    headers = response.headers
    offers_stream = _MONITOR in headers.get("Link", "")
    return Response(request, response.status_code, body, _etag(headers), _media_type(headers), offers_stream)


def _media_type(headers: httpx.Headers) -> str:
    media_type, _, _ = headers.get("Content-Type", "").partition(";")
    return str(media_type.strip())


def _redirect(response: httpx.Response) -> str | None:
    if not response.has_redirect_location:
        return None
    target = shown_url(str(response.url.join(response.headers["Location"])))
    return f"redirects are not followed; use the URL of the service to which this one redirects: {target}"


def _text(body: bytes) -> str:
    return printable(" ".join(body[:_LONGEST_TEXT].decode(errors="replace").split())) or "the response is empty"


def _etag(headers: httpx.Headers) -> str | None:
    """Return the ETag if it can be sent back. A malformed one would make all later requests fail."""
    tags = headers.get_list("ETag")
    tag = tags[0] if len(tags) == 1 else ""
    return tag if tag.isascii() and tag.isprintable() and 0 < len(tag) <= _MAX_ETAG_LENGTH else None


def without_coding(headers: httpx.Headers) -> httpx.Headers:
    """Return the headers of the decompressed body."""
    about_the_body = {"content-encoding", "content-length", "transfer-encoding"}
    return httpx.Headers([item for item in headers.multi_items() if item[0].lower() not in about_the_body])
