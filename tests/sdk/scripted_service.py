"""A real HTTP server whose responses are scripted by the test: a service that misbehaves."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.service.api import FEATURES

DECLARE = "/api/v1/settings/declare"
FEATURE_ORDER = "/api/v1/context_features"
QUERY = "/api/v1/query"


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Scripted:
    """A response; the body is JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedService:
    """Responds like a service where every setting exists and has no rules, but for what was scripted.

    Attributes:
        url: Where it is.
        script: By path: the response, or a function from the request to it.
        received: All requests so far.
        connections: How many connections are open.
        held: While it is not set, requests wait for it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.script: dict[str, Scripted | Callable[[Received], Scripted]] = {
            "/api/health": Scripted({"version": "0"}),
            FEATURE_ORDER: Scripted({"context_features": FEATURES}),
            DECLARE: Scripted({"outcome": "created"}),
            QUERY: Scripted({"settings": {}}),
        }
        self.received: list[Received] = []
        self.connections = 0
        self.held = threading.Event()
        self.held.set()
        self.lock = threading.Lock()

    def serve(self, name: str, default_value: Any, *rules: Any) -> None:
        """Script the query's response: one setting with these rules."""
        self.script[QUERY] = Scripted(queried(name, default_value, *rules))

    def of(self, path: str) -> list[Received]:
        """Return the requests for a path."""
        return [request for request in self.received if request.path == path]


def queried(name: str, default_value: Any, *rules: Any) -> Any:
    """Return a query's body about one setting."""
    return {"settings": {name: {"default_value": default_value, "rules": list(rules)}}}


def rule(rule_id: int, value: Any, /, **conditions: str) -> Any:
    """Return a rule as a query returns it."""
    return {"rule_id": rule_id, "value": value, "context_features": [list(item) for item in conditions.items()]}


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[ScriptedService]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        with self.service.lock:
            self.service.connections += 1

    def finish(self) -> None:
        super().finish()
        with self.service.lock:
            self.service.connections -= 1

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        request = Received(self.command, parts.path, params, dict(self.headers), body)
        self.service.received.append(request)
        self.service.held.wait()
        scripted = self.service.script.get(parts.path, Scripted(status=404))
        response = scripted if isinstance(scripted, Scripted) else scripted(request)
        content = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if response.status != 304:
            self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Expect clients that go away."""


@contextmanager
def scripted_service() -> Iterator[ScriptedService]:
    """Run a scripted service."""
    service = ScriptedService()
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service})) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.held.set()
            server.shutdown()
            thread.join()
