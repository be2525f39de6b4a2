"""HTTP to endpoints. The only module of the grants that imports httpx."""

import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx
import orjson

from heksherlite.errors import RemoteGrantError
from heksherlite.http.urls import shown_url
from heksherlite.secret import Secret

_LARGEST: Final = 16 * 2**20
"""How many bytes an answer may have."""

_SECONDS: Final = re.compile("[0-9]{1,9}")


FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
"""What a request may raise. Of an error in a host name like ``xn--a``, httpx lets out what idna raises."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        url: What was asked, as it may be shown.
        status: Its status.
        content: Its body.
        retry_after: For how many seconds it asks to be left alone.
    """

    url: str
    status: int
    content: bytes = field(repr=False)  # tracebacks may show it
    retry_after: float = 0


class Session:
    """Asks endpoints, and follows no redirects: a token must not go where it was not meant to.

    Args:
        client: Connects.
        timeout: Seconds until a whole answer has to be there.
    """

    def __init__(self, client: httpx.AsyncClient, timeout: float) -> None:
        self._client = client
        self._timeout = timeout

    async def ask(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, *, error: type[RemoteGrantError]
    ) -> Reply:
        """Send a request, and return the answer.

        Args:
            method: Such as GET.
            url: The address.
            body: What is sent as JSON, in which a :class:`Secret` stands for its text.
            error: What is raised.

        Raises:
            RemoteGrantError: If there is no answer, or it is a redirect, compressed or too large.
        """
        shown = shown_url(url)
        try:
            with anyio.fail_after(self._timeout):
                return await self._asked(method, url, body, shown, error)
        except FAILURES as failure:
            reason = reason_of(failure, self._timeout)
        # Without the cause, because its frames have the body in them.
        raise error(shown, reason)

    async def _asked(
        self, method: str, url: str, body: Mapping[str, Any] | None, shown: str, error: type[RemoteGrantError]
    ) -> Reply:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}
        if body is None:
            del headers["Content-Type"]
        request = self._client.build_request(method, url, content=_encoded(body), headers=headers)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if response.is_redirect:
                target = shown_url(response.headers.get("Location", "")) or "nowhere"
                raise error(shown, f"it redirects to {target}, which is not followed; use that address if it is right")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise error(shown, "the answer is compressed, which was not asked for")
            content = bytearray()
            with anyio.CancelScope() as scope:
                async for piece in response.aiter_raw():
                    content += piece
                    if len(content) > _LARGEST:
                        # To leave the loop here would leave generators of httpx half-way, which trio warns of.
                        scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        if len(content) > _LARGEST:
            raise error(shown, f"the answer is larger than {_LARGEST:,} bytes")
        retry_after = response.headers.get("Retry-After", "")
        seconds = float(retry_after) if _SECONDS.fullmatch(retry_after) else 0
        return Reply(shown, response.status_code, bytes(content), seconds)


@asynccontextmanager
async def session(http_client_args: Mapping[str, Any] | None, seconds: float) -> AsyncIterator[Session]:
    """Connect for as long as the block takes.

    Args:
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        seconds: Until a whole answer has to be there.
    """
    args = {"timeout": seconds, **(http_client_args or {})}
    # In a worker thread, because reading the certificates takes tens of milliseconds.
    client = await anyio.to_thread.run_sync(partial(httpx.AsyncClient, **args))
    try:
        yield Session(client, seconds)
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


def status_of(reply: Reply) -> str:
    """Return an answer's status in words."""
    phrase = httpx.codes.get_reason_phrase(reply.status)
    return f"status {reply.status} {phrase}".strip()


def reason_of(failure: Exception, seconds: float) -> str:
    """Return why there is no answer, without what was sent.

    Args:
        failure: One of `FAILURES`.
        seconds: After how many a `TimeoutError` is raised.
    """
    if isinstance(failure, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(failure, OSError) and failure.errno:  # such as a certificate file that is not there
        return os.strerror(failure.errno)
    if isinstance(failure, httpx.InvalidURL):
        return str(failure)
    return f"{type(failure).__name__}: {failure}".removesuffix(": ")


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else orjson.dumps(body, default=_revealed)


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be sent")
