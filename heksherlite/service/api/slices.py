"""Large responses, which are sent as fast as the client reads them."""

from typing import Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

_SLICE: Final = 256 * 2**10
"""The size of what is handed to the connection at once, in bytes."""


class SlicedResponse(Response):
    """A response whose body is sent in slices.

    The connection of a client that does not read holds one slice, and the request stays in progress.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        body = bytes(self.body)
        if len(body) <= _SLICE:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(body), _SLICE):
            end = start + _SLICE
            await send({"type": "http.response.body", "body": body[start:end], "more_body": end < len(body)})
