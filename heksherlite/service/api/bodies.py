"""Request bodies: their limits on size and time, and strict JSON."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from math import isfinite
from typing import Any, BinaryIO, Final, NoReturn

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from heksherlite.service.domain.json_values import require_encodable

_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding"})
_MAX_DISCARDED_BYTES: Final = 32 * 2**20  # of a body that is too large, so that its sender can read the response


def decode_json(body: bytes) -> Any:
    """Decode JSON without losing the precision of any number.

    Args:
        body: The JSON text, in UTF-8.

    Raises:
        json.JSONDecodeError: The text is not JSON in UTF-8, or not every client could read it back: it contains an
            integer beyond 64 bits, a number beyond the range of floats or a lone surrogate, or has more than about
            200 levels.
    """
    text = ""
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float)
        require_encodable(value)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("too many levels", text, 0) from error
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    return value


class StrictJsonRequest(Request):
    """A request whose JSON is decoded by `decode_json`, once."""

    @property
    def is_decoded(self) -> bool:
        """Whether there was JSON, and it was decoded. FastAPI decodes no body of another content type."""
        return hasattr(self, "_decoded")

    async def json(self) -> Any:
        """Return the decoded body."""
        if not self.is_decoded:
            self._decoded = decode_json(await self.body())
        return self._decoded


class BodyError(Exception):
    """The body of a request was not read.

    Args:
        status: The status code of the response.
        detail: The reason, for people.
        headers: Additional response headers.
    """

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def has_body(scope: Scope) -> bool:
    """Return whether a request has a body."""
    return not _OF_BODIES.isdisjoint([name for name, _ in scope["headers"]])


class BodyReader:
    """Reads the bodies of authorized requests, each within limits of size and time, and all within one of memory.

    Args:
        max_bytes: The maximal size of a body, in bytes.
        max_public_bytes: The maximal size of a body of a request that requires no token, in bytes.
        max_buffered_bytes: The maximal size of all bodies that are in memory at the same time, in bytes.
        timeout: The maximal time for a body to arrive, in seconds.
    """

    def __init__(self, *, max_bytes: int, max_public_bytes: int, max_buffered_bytes: int, timeout: float) -> None:
        self._max_bytes = max_bytes
        self._max_public_bytes = min(max_bytes, max_public_bytes)
        self._max_buffered_bytes = max(max_bytes, max_buffered_bytes)
        self._timeout = timeout
        self._buffered_bytes = 0

    def reading(
        self, request: Request, *, public: bool, max_bytes: int | None = None
    ) -> AbstractAsyncContextManager[StrictJsonRequest]:
        """Read the body of a request, and keep it until the context ends.

        A body without a ``Content-Type`` is declared as JSON, because existing clients rely on that.

        Args:
            request: The request.
            public: Whether the request requires no token.
            max_bytes: The maximal size of this body, in bytes, if it is another one than usual.

        Raises:
            BodyError: The body is too large or too slow, or too many bodies are in memory.
        """
        if max_bytes is None:
            max_bytes = self._max_public_bytes if public else self._max_bytes
        return _Reading(self, request, max_bytes)

    async def save(self, request: Request, file: BinaryIO, *, max_bytes: int) -> None:
        """Write the body of a request into a file, which may be larger than the memory.

        Args:
            request: The request.
            file: The file.
            max_bytes: The maximal size of the body, in bytes.

        Raises:
            BodyError: The body is too large, or a part of it does not arrive in time.
        """
        size, more = 0, True
        while more:
            try:
                async with asyncio.timeout(self._timeout):
                    message = await request.receive()
            except TimeoutError:
                reason = f"nothing of the body arrived for {self._timeout:g} s"
                raise BodyError(408, reason, connection="close") from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > max_bytes:
                raise BodyError(413, f"the body is larger than {max_bytes} bytes", connection="close")
            await asyncio.to_thread(file.write, chunk)
            more = message.get("more_body", False)

    async def receive(self, request: Request, max_bytes: int, body: bytearray) -> None:
        """Append to a body what arrives, and count it until it is released.

        Raises:
            BodyError: The body is too large or too slow, or too many bodies are in memory.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._receive(request, max_bytes, body)
        except TimeoutError:
            reason = f"the body did not arrive within {self._timeout:g} s"
            raise BodyError(408, reason, connection="close") from None

    def release(self, body: bytearray) -> None:
        """Stop counting a body."""
        self._buffered_bytes -= len(body)

    async def _receive(self, request: Request, max_bytes: int, body: bytearray) -> None:
        received, more = 0, True
        while more and received <= _MAX_DISCARDED_BYTES:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            received += len(chunk)
            if received <= max_bytes:
                if self._buffered_bytes + len(chunk) > self._max_buffered_bytes:
                    raise BodyError(503, "too many request bodies are in memory", **{"retry-after": "1"})
                self._buffered_bytes += len(chunk)
                body += chunk
            more = message.get("more_body", False)
        if received > max_bytes:
            raise BodyError(413, f"the body is larger than {max_bytes} bytes", connection="close")


class _Reading(AbstractAsyncContextManager[StrictJsonRequest]):
    # A generator with the decorator of contextlib takes several times as long.
    __slots__ = ("_body", "_max_bytes", "_reader", "_request")

    def __init__(self, reader: BodyReader, request: Request, max_bytes: int) -> None:
        self._reader = reader
        self._request = request
        self._max_bytes = max_bytes
        self._body = bytearray()

    async def __aenter__(self) -> StrictJsonRequest:
        request = self._request
        if "content-type" not in request.headers:
            # In place: the middleware around the application looks up the route in the same scope afterwards.
            request.scope["headers"] = [*request.scope["headers"], (b"content-type", b"application/json")]
        try:
            await self._reader.receive(request, self._max_bytes, self._body)
        except BaseException:
            self._reader.release(self._body)
            raise
        complete = StrictJsonRequest(request.scope, request.receive)
        complete._body = bytes(self._body)  # noqa: SLF001  # where the framework keeps it
        return complete

    async def __aexit__(self, *_: object) -> None:
        self._reader.release(self._body)


def _finite_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")
