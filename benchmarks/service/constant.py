"""A FastAPI application with nothing behind it: each path has a response that never changes.

The responses come from the standard input, as a JSON object of ``[status, headers, body]`` by path.
"""

import json
import socket
import sys
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI, Response


def main() -> None:
    """Serve the responses, after the address was printed."""
    app = FastAPI()
    for path, (status, headers, body) in json.load(sys.stdin).items():
        app.api_route(path, methods=["GET", "POST"])(_responding(status, headers, body.encode()))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def _responding(status: int, headers: dict[str, str], body: bytes) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return Response(body, status, headers)

    return respond


main()
