"""A real HTTP server that follows the wire specification, and sends scripted responses."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.waiting import until

WELL_KNOWN = "/.well-known/fakts"
CONFIG = {"heksher": {"service_url": "http://settings:8888"}, "database": {"password": "hunter2"}}


@dataclass(frozen=True)
class Received:
    """A received request."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Scripted:
    """A scripted response. The body is sent as JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedEndpoint:
    """An endpoint for tests.

    Attributes:
        url: The URL of the server.
        script: Scripted responses by path, or functions that take the request and return one.
        received: All requests so far.
        tokens: The facts by token.
        registered: The identifiers of public applications.
        one_time: One-time tokens that are not spent.
        codes: The status of each device code.
        makes_codes: Whether the endpoint has ``start/``.
        device_codes: The secret device codes by user code, or ``None`` if it makes none.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.reset()

    def reset(self) -> None:
        """Reset all attributes except the URL."""
        self.script: dict[str, Scripted | Callable[[Received], Scripted]] = {}
        self.received: list[Received] = []
        self.tokens: dict[str, Any] = {"static-token": CONFIG}
        self.registered = {"org.example.app"}
        self.one_time = {"one-time-token"}
        self.codes: dict[str, str] = {}
        self.makes_codes = True
        self.device_codes: dict[str, str] | None = None

    @property
    def base_url(self) -> str:
        return f"{self.url}/f/"

    def of(self, call: str) -> list[Received]:
        """Return the received requests of a call."""
        return [request for request in self.received if request.path == f"/f/{call}/"]

    def respond(self, request: Received) -> Scripted:
        """Return the response to a request."""
        scripted = self.script.get(request.path)
        if scripted is not None:
            return scripted if isinstance(scripted, Scripted) else scripted(request)
        if request.path == WELL_KNOWN:
            return Scripted({"name": "scripted", "base_url": self.base_url})
        calls = {"claim": self._claim, "retrieve": self._retrieve, "redeem": self._redeem, "challenge": self._challenge}
        if self.makes_codes:
            calls["start"] = self._start
        call = calls.get(request.path.removeprefix("/f/").removesuffix("/"))
        return Scripted(status=404) if call is None or request.method != "POST" else Scripted(call(request.body))

    def _claim(self, body: Any) -> Any:
        if body["token"] not in self.tokens:
            return {"status": "error", "message": f"there is no token {body['token']}"}
        return {"status": "granted", "config": self.tokens[body["token"]]}

    def _retrieve(self, body: Any) -> Any:
        if body["manifest"]["identifier"] not in self.registered:
            return {"status": "error", "message": "this application is not registered"}
        return self._grant()

    def _redeem(self, body: Any) -> Any:
        if body["token"] not in self.one_time:
            return {"status": "error", "message": f"{body['token']} is spent"}
        self.one_time.remove(body["token"])
        return self._grant()

    def _start(self, body: Any) -> Any:
        assert body["manifest"]["identifier"]
        code = f"made-here-{len(self.codes)}"
        self.codes[code] = "waiting"
        if self.device_codes is None:
            return {"status": "granted", "code": code}
        self.device_codes[code] = f"secret-{len(self.codes)}"
        return {"status": "granted", "code": code, "device_code": self.device_codes[code]}

    def _challenge(self, body: Any) -> Any:
        if self.device_codes is not None and self.device_codes.get(body["code"]) != body.get("device_code"):
            return {"status": "error", "message": f"wrong device code {body.get('device_code')}"}
        status = self.codes.setdefault(body["code"], "waiting")
        return self._grant() if status == "granted" else {"status": status}

    def _grant(self) -> Any:
        token = f"granted-token-{len(self.tokens)}"
        self.tokens[token] = CONFIG
        return {"status": "granted", "token": token}


def _app(endpoint: ScriptedEndpoint) -> Starlette:
    async def serve(request: Request) -> Response:
        content = await request.body()
        is_json = request.headers.get("content-type") == "application/json"
        body = orjson.loads(content) if is_json else content or None
        received = Received(request.method, request.url.path, body, dict(request.headers), dict(request.query_params))
        endpoint.received.append(received)
        response = endpoint.respond(received)
        sent = response.body if isinstance(response.body, bytes) else orjson.dumps(response.body)
        return Response(sent, response.status, dict(response.headers), media_type="application/json")

    return Starlette(routes=[Route("/{path:path}", serve, methods=["GET", "POST"])])


@contextmanager
def scripted_endpoint(**options: Any) -> Iterator[ScriptedEndpoint]:
    """Run an endpoint with options of uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if "ssl_certfile" in options else "http"
        endpoint = ScriptedEndpoint(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        config = uvicorn.Config(_app(endpoint), log_config=None, lifespan="off", timeout_graceful_shutdown=1, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield endpoint
        finally:
            server.should_exit = True
            thread.join()
