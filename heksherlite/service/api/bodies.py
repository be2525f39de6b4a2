"""Request bodies: their limits on size and time, and strict JSON."""

import asyncio
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NoReturn

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.domain.json_values import require_encodable

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

    async def json(self) -> Any:
        """Return the decoded body."""
        if not hasattr(self, "_decoded"):
            self._decoded = decode_json(await self.body())
        return self._decoded


class BodyMiddleware:
    """Reads each request's body before the application handles the request.

    A body that exceeds the limit is discarded and answered with 413, and one that does not arrive in time with 408. A
    body without a Content-Type is declared as JSON, because existing clients rely on that.

    Args:
        app: The application.
        max_bytes: The maximal size of a body, in bytes.
        max_bytes_of_paths: The maximal sizes of bodies that are sent to certain paths.
        timeout: The maximal time for a body to arrive, in seconds.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_bytes_of_paths: Mapping[str, int], timeout: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_bytes_of_paths = max_bytes_of_paths
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        max_bytes = self._max_bytes_of_paths.get(scope["path"], self._max_bytes)
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._read(receive, max_bytes)
        except TimeoutError:
            await _closing(408, f"the body did not arrive within {self._timeout:g} s")(scope, receive, send)
            return
        if body is None:
            await _closing(413, f"the body is larger than {max_bytes} bytes")(scope, receive, send)
            return
        if b"content-type" not in headers:
            # In place: the middleware around this one looks up the route in the same scope afterwards.
            scope["headers"] = [*scope["headers"], (b"content-type", b"application/json")]
        await self._app(scope, _replaying(body, receive), send)

    async def _read(self, receive: Receive, max_bytes: int) -> bytes | None:
        body = bytearray()
        received = 0
        more = True
        while more and received <= _MAX_DISCARDED_BYTES:
            message = await receive()
            part = message.get("body", b"")
            received += len(part)
            if received <= max_bytes:
                body += part
            more = message.get("more_body", False)
        return bytes(body) if received <= max_bytes else None


def _closing(status: int, message: str) -> Response:
    return Response(message, status, {"connection": "close"}, "text/plain")


def _replaying(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _finite_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")
