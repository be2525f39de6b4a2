"""Routes that FastAPI analyzes when they are first used, which takes milliseconds for each of them."""

import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name
from starlette.types import Receive, Scope, Send

_OF_FASTAPI: Final = frozenset(APIRoute.__annotations__)
"""What FastAPI finds out about a route."""

_lock: Final = threading.RLock()


class DeferredRoute(APIRoute):
    """A route that only knows which requests it matches until it is built.

    It is built by its first request, or when FastAPI asks for anything else, such as for the OpenAPI schema. Building
    it changes the filters of warnings for a moment, for all threads.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        methods: Collection[str] | None = None,
        include_in_schema: bool = True,
        **options: Any,
    ) -> None:
        methods = [method.upper() for method in methods or ("GET",)]
        options = {"name": name, "methods": methods, "include_in_schema": include_in_schema, **options}
        self._build: Callable[[], object] | None = partial(super().__init__, path, endpoint, **options)
        self.path = path
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.methods = set(methods)
        self.include_in_schema = include_in_schema
        self.app = self._build_and_serve

    def build(self) -> None:
        """Build the route, unless it is built."""
        with _lock:
            build, self._build = self._build, None
            if build is not None:
                build()

    def __getattr__(self, name: str) -> Any:
        if name in _OF_FASTAPI:
            self.build()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    async def _build_and_serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.build()
        await self.app(scope, receive, send)
