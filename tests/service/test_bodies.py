"""Bodies are read after authorization, and never take more memory than is reserved for all of them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request

from heksherlite.service import embedded
from heksherlite.service.api.bodies import BodyError, BodyReader
from tests.service.in_process import Application, with_application
from tests.service.tokens import WITH_TOKENS


def test_a_request_without_token_is_refused_before_its_body_is_sent() -> None:
    """The response arrives although the client has sent nothing of the announced body."""
    with embedded(access=WITH_TOKENS) as service:
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/f/claim/", "/o/token", "/f/login"])
def test_requests_that_need_no_token_have_small_bodies(path: str) -> None:
    """A body of more than 64 KiB is refused where no token is required."""
    with embedded(access=WITH_TOKENS) as service:
        assert httpx.post(service.url + path, content=b"x" * 65_537).status_code == 413


def test_the_body_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason in a body is taken from what was decoded for the route."""
    decoded = []
    loads = json.loads

    def count(text: str | bytes, **options: object) -> object:
        decoded.append(str(text))
        return loads(text, **options)  # type: ignore[arg-type]

    async def write(made: Application) -> None:
        body = {"context_feature": "new", "reason": "because"}
        assert (await made.http.post("/api/v1/context_features", json=body)).status_code == 204
        history = (await made.http.get("/api/v1/history")).json()["history"]
        assert history[0]["reason"] == "because"

    monkeypatch.setattr("heksherlite.service.api.bodies.json.loads", count)
    with_application(tmp_path, write)
    assert len([text for text in decoded if text.startswith('{"context_feature"')]) == 1


class Sender:
    """A client that sends the chunks of a body when it is told to."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.request = Request(
            {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"1")]}, self._receive
        )

    async def _receive(self) -> dict[str, object]:
        body, more = await self.chunks.get()
        return {"type": "http.request", "body": body, "more_body": more}


def test_all_bodies_together_are_bounded() -> None:
    """A body that would exceed the memory for all bodies is refused, and accepted when another one has ended."""

    async def run() -> None:
        reader = BodyReader(max_bytes=100, max_public_bytes=100, max_buffered_bytes=150, timeout=10)
        first, second, third = Sender(), Sender(), Sender()
        for sender in (first, second, third):
            sender.chunks.put_nowait((b"x" * 100, False))
        async with reader.reading(first.request, public=False):
            with pytest.raises(BodyError, match="too many") as caught:
                await anext(contents(reader, second))
            assert (caught.value.status, caught.value.headers) == (503, {"retry-after": "1"})
        assert await anext(contents(reader, third)) == b"x" * 100

    asyncio.run(run())


async def contents(reader: BodyReader, sender: Sender) -> AsyncIterator[bytes]:
    async with reader.reading(sender.request, public=False) as complete:
        yield await complete.body()
