"""heksher 0.2.2 with rules from a service in the same process, which has nothing to do while the calls are timed.

As in the measurements of ours, one feature is a constant, one an argument and one a context variable.
"""

import asyncio
import json
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

from benchmarks.data import ENVIRONMENT, FEATURES, THEME, v1_response
from benchmarks.peers.subject import DEFAULT, FLAG, Get, measure

theme: ContextVar[str] = ContextVar("theme", default=THEME)
kept: list[object] = []
"""Clients that are still needed: what they were told stands only as long as they live."""


def serve(values: Mapping[str, int]) -> str:
    """Serve these rules, and return where."""
    response = v1_response({FLAG: {(("user", user),): value for user, value in values.items()}})

    class Service(BaseHTTPRequestHandler):
        """The service."""

        def do_GET(self) -> None:
            """Return the context features, or the rules."""
            if self.path.endswith("/context_features"):
                self._response(json.dumps({"context_features": FEATURES}).encode())
            else:
                self._response(response)

        def do_POST(self) -> None:
            """Respond to a declaration."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self._response(b'{"outcome": "created"}')

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

        def _response(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def prepare(values: Mapping[str, int]) -> Get:
    """Load the rules once."""
    heksher = import_module("heksher")
    url = serve(values)

    async def load() -> object:
        client = heksher.AsyncHeksherClient(url, 3600, list(FEATURES))
        client.set_defaults(environment=ENVIRONMENT, theme=theme)
        client.track_contexts(environment=ENVIRONMENT, user=heksher.TRACK_ALL, theme=THEME)
        await client.set_as_main()
        await client.aclose()
        return client

    setting = heksher.Setting(FLAG, int, list(FEATURES), DEFAULT)
    kept.append(asyncio.run(load()))

    def get(user: str) -> object:
        return setting.get(user=user)

    return get


if __name__ == "__main__":
    measure("heksher", prepare)
