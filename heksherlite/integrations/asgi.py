"""The middleware for ASGI applications: Starlette, FastAPI, Litestar, Quart and others."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import nullcontext
from inspect import isawaitable
from typing import Any

from heksherlite.context_values import ContextValues
from heksherlite.in_force import pinned as pinned_block

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Values = Mapping[str, Any]


class ContextMiddleware:
    """Gives each request its context values, and lets it read all settings as of one update.

    The values are set for all code that handles the request: dependencies, tasks, threads, streaming bodies and
    background tasks. A WebSocket connection has its context values, too, but follows updates.

    Args:
        app: The application.
        context: A function or coroutine function from the ASGI scope of the request to the values of context features.
            A feature whose value is ``None`` is left out. With Starlette and FastAPI, ``Request(scope)`` and, for
            WebSocket connections too, ``HTTPConnection(scope)`` is the request.
        pinned: Whether each HTTP request runs in a block of :func:`heksherlite.pinned`.

    Raises:
        TypeError: When a request is handled: if ``context`` returns no mapping, or a value that has no obvious text.
        ValueError: When a request is handled: if the main client has a constant as the default of a feature that
            ``context`` returns, or the name of a feature looks misspelled.
    """

    def __init__(
        self,
        app: Application,
        context: Callable[[Scope], Values | Awaitable[Values]] | None = None,
        *,
        pinned: bool = True,
    ) -> None:
        if context is not None and not callable(context):
            raise TypeError(f"the context of ContextMiddleware must be a function, not {context!r}")
        self._app = app
        self._context = context
        self._pinned = pinned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        with pinned_block() if self._pinned and kind == "http" else nullcontext():
            values: Any = self._context(scope) if self._context is not None else {}
            if isawaitable(values):
                values = await values
            with ContextValues(values):
                await self._app(scope, receive, send)
