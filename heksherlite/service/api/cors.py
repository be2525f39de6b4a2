"""Permits pages of other sites to evaluate flags, and nothing else."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX: Final = "/ofrep/"


class CorsMiddleware:
    """Answers preflight requests, and adds the headers of CORS, for OFREP only.

    Args:
        app: The application.
        origins: The origins whose pages may send requests; ``*`` for all.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._with_cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["ETag", "Retry-After"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path: str = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        await (self._with_cors if path.startswith(_PREFIX) else self._app)(scope, receive, send)
