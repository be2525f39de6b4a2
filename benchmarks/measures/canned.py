"""A service in memory: an HTTP transport that returns prepared responses."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from benchmarks.data import FEATURES

URL = "http://canned"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """A response to a query.

    Attributes:
        body: Its body, not compressed.
        headers: Its headers.
        status: Its status.
    """

    body: bytes
    headers: httpx.Headers = field(default_factory=lambda: httpx.Headers({"Content-Type": "application/json"}))
    status: int = 200


class CannedService(httpx.AsyncBaseTransport):
    """Responds to every query with the same rules, in pieces as they would arrive.

    Args:
        response: The response.

    Attributes:
        response: The same. Assign another one to change it.
        responded_at: The processor time of this process when the last query got its response, in seconds.
    """

    def __init__(self, response: QueryResponse) -> None:
        self.response = response
        self.responded_at = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond."""
        path = request.url.path
        if path.endswith("/context_features"):
            return httpx.Response(200, content=json.dumps({"context_features": FEATURES}))
        if path.endswith("/declare"):
            return httpx.Response(200, content=b'{"outcome": "created"}')
        self.responded_at = time.process_time()
        return httpx.Response(self.response.status, headers=self.response.headers, stream=_Pieces(self.response.body))


class RecordingTransport(httpx.AsyncHTTPTransport):
    """Reaches a real service, and keeps its response to the last query.

    Attributes:
        recorded: That response.
        size: The bytes of its body as they were sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recorded = QueryResponse(b"")
        self.size = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the service."""
        response = await super().handle_async_request(request)
        if not request.url.path.endswith("/query"):
            return response
        body = await response.aread()
        self.size = response.num_bytes_downloaded
        dropped = {"content-encoding", "content-length", "transfer-encoding"}
        headers = httpx.Headers([item for item in response.headers.multi_items() if item[0].lower() not in dropped])
        self.recorded = QueryResponse(body, headers, response.status_code)
        await response.aclose()
        return httpx.Response(response.status_code, headers=headers, content=body)


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _PIECE):
            yield self._body[start : start + _PIECE]
