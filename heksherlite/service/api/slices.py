"""Large responses, which are sent as fast as the client reads them, and responses that are sent again."""

from typing import Final, TypeAlias

from fastapi import Response
from starlette.types import Receive, Scope, Send

_SLICE: Final = 256 * 2**10
"""The size of what is handed to the connection at once, in bytes."""


RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class SlicedResponse(Response):
    """A response whose body is sent in slices.

    The connection of a client that does not read holds one slice, and the request stays in progress.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        body = memoryview(self.body)  # whose slices are no copies
        if len(body) <= _SLICE:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(body), _SLICE):
            end = start + _SLICE
            await send({"type": "http.response.body", "body": body[start:end], "more_body": end < len(body)})


class RepeatedResponse(SlicedResponse):
    """A response with headers that an earlier response had.

    Args:
        status: The status code.
        headers: All headers of the earlier response, which had a body of the same length.
        body: The body.
    """

    def __init__(self, status: int, headers: RawHeaders, body: bytes = b"") -> None:
        # Not by the constructor of the base, which would build the headers.
        self.status_code = status
        self.raw_headers = [*headers]  # middleware may add some
        self.body = body
        self.background = None
