"""Reading request bodies: how large they may be, and what JSON is to this service."""

import asyncio
import json
from math import isfinite
from typing import Any, NoReturn

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heksherlite.service.domain.json_values import require_encodable

_DISCARDED_BYTES = 32 * 2**20  # read off a body that is too large, so that its sender gets to see the answer


def decode_json(body: bytes) -> Any:
    """Decode JSON, keeping every number exactly.

    Raises:
        json.JSONDecodeError: The text is not JSON in UTF-8, or it is JSON that not every reader could take back: an
            integer beyond 64 bits, a number beyond the range of floats, a lone surrogate, more than some 200 levels.
    """
    text = ""
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_refuse_number, parse_float=_finite_float)
        require_encodable(value)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("too deep", text, 0) from error
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    return value


class StrictJsonRequest(Request):
    """A request whose JSON is read by `decode_json`."""

    async def json(self) -> Any:
        """Return the decoded body."""
        return decode_json(await self.body())


class BodyMiddleware:
    """Takes in each request's body before the application sees it.

    A body over the limit is answered with 413 and never held in memory, one that does not arrive in time with 408;
    one without Content-Type is declared to be JSON, as existing clients mean it.

    Args:
        app: The application.
        max_bytes: How many bytes a body may have.
        timeout: How many seconds it may take to arrive.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._read(receive)
        except TimeoutError:
            await _refusal(408, f"the body did not arrive within {self._timeout:g} s")(scope, receive, send)
            return
        if body is None:
            await _refusal(413, f"the body is larger than {self._max_bytes} bytes")(scope, receive, send)
            return
        if b"content-type" not in headers:
            # In place: the middleware around this one looks up the route in the same scope afterwards.
            scope["headers"] = [*scope["headers"], (b"content-type", b"application/json")]
        await self._app(scope, _replaying(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        received = 0
        more = True
        while more and received <= _DISCARDED_BYTES:
            message = await receive()
            part = message.get("body", b"")
            received += len(part)
            if received <= self._max_bytes:
                body += part
            more = message.get("more_body", False)
        return bytes(body) if received <= self._max_bytes else None


def _refusal(status: int, message: str) -> Response:
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


def _refuse_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
