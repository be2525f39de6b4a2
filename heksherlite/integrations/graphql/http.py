"""The HTTP library that gql uses: httpx, or httpx2 if that is installed too (gql 4.4 and later)."""

from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

import gql.transport.httpx as transports
import httpx

HTTP: Final[Any] = getattr(transports, "httpx", httpx)
"""The module ``httpx`` or ``httpx2``, which have the same names."""


def auth_for_gql(auth: httpx.Auth | None) -> Any:
    """Return an authentication of httpx in a form that the library of gql accepts."""
    if auth is None or isinstance(auth, HTTP.Auth):
        return auth
    return _ForeignAuth(auth)


class _ForeignAuth(HTTP.Auth):  # type: ignore[misc]
    """Signs requests of httpx2 as an authentication of httpx does.

    Args:
        auth: The authentication. It sees the requests and the statuses and headers of responses, and sets headers.
    """

    requires_request_body = True

    def __init__(self, auth: httpx.Auth) -> None:
        self._auth = auth

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Sign a request, and again if the authentication asks for it."""
        flow = self._auth.sync_auth_flow(_request(request))
        try:
            signed = next(flow)
            while True:
                request.headers.update(signed.headers)
                signed = flow.send(_response((yield request), signed))
        except StopIteration:
            return
        finally:
            flow.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Sign a request in asynchronous code, otherwise as :meth:`sync_auth_flow` does."""
        flow = self._auth.async_auth_flow(_request(request))
        try:
            signed = await anext(flow)
            while True:
                request.headers.update(signed.headers)
                signed = await flow.asend(_response((yield request), signed))
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()


def _request(request: Any) -> httpx.Request:
    return httpx.Request(
        request.method, str(request.url), headers=request.headers.multi_items(), content=request.content
    )


def _response(response: Any, request: httpx.Request) -> httpx.Response:
    # Without a body, whose encoding and length these headers describe.
    headers = [(name, value) for name, value in response.headers.multi_items() if not name.startswith("content-")]
    return httpx.Response(response.status_code, headers=headers, request=request)
