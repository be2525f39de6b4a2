"""The middleware for Django."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any

try:
    from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.utils.module_loading import import_string
except ModuleNotFoundError as error:
    if error.name not in {"django", "asgiref"}:
        raise
    raise ModuleNotFoundError(
        "heksherlite.integrations.django needs Django: pip install 'heksherlite[django]'", name=error.name
    ) from error

from heksherlite.context_values import ContextValues
from heksherlite.in_force import pinned
from heksherlite.response_bodies import AsyncBody, Body

Handler = Callable[[HttpRequest], Any]


class ContextMiddleware:
    """Gives each request its context values, and lets it read all settings as of one update.

    It works under WSGI and ASGI, with synchronous and asynchronous views, and covers streaming responses. Two settings
    of Django configure it:

    * ``HEKSHER_CONTEXT``: a function or coroutine function from the :class:`~django.http.HttpRequest` to the values of
      context features, or its dotted path. A feature whose value is ``None`` is left out. Place the middleware below
      those whose results the function reads, such as ``AuthenticationMiddleware``. Under ASGI, a function that is no
      coroutine function runs in a thread, because it may use the database.
    * ``HEKSHER_PINNED``: whether each request runs in a block of :func:`heksherlite.pinned`; ``True`` by default.

    Args:
        get_response: The handler of the request.

    Raises:
        ImproperlyConfigured: If ``HEKSHER_CONTEXT`` is neither a function nor the path of one.
        TypeError: When a request is handled: if the function returns no mapping, or a value that has no obvious text.
        ValueError: When a request is handled: if the main client has a constant as the default of a feature that the
            function returns, or the name of a feature looks misspelled.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._is_pinned = bool(getattr(settings, "HEKSHER_PINNED", True))
        self._is_async = iscoroutinefunction(get_response)
        function = _context_function()
        self._values: Callable[[HttpRequest], Any] | None = function
        if function is not None and iscoroutinefunction(function) and not self._is_async:
            self._values = async_to_sync(function)
        elif function is not None and self._is_async and not iscoroutinefunction(function):
            self._values = sync_to_async(function)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Handle a request."""
        if self._is_async:
            return self._respond(request)
        with pinned() if self._is_pinned else nullcontext():
            values: Mapping[str, Any] = self._values(request) if self._values is not None else {}
            with ContextValues(values):
                return self._covered(self._get_response(request))

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        with pinned() if self._is_pinned else nullcontext():
            values: Mapping[str, Any] = await self._values(request) if self._values is not None else {}
            with ContextValues(values):
                return self._covered(await self._get_response(request))

    def _covered(self, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response. If it is made while it is sent, that happens in the present context."""
        streaming: Any = response
        if not streaming.streaming or getattr(response, "file_to_stream", None) is not None:
            return response
        body = AsyncBody if streaming.is_async else Body
        streaming.streaming_content = body(streaming.streaming_content)
        return response


def _context_function() -> Callable[[HttpRequest], Any] | None:
    given = getattr(settings, "HEKSHER_CONTEXT", None)
    if given is None:
        return None
    function = given
    if isinstance(given, str):
        try:
            function = import_string(given)
        except ImportError as error:
            raise ImproperlyConfigured(f"HEKSHER_CONTEXT = {given!r} cannot be imported: {error}") from error
    if not callable(function):
        raise ImproperlyConfigured(
            f"HEKSHER_CONTEXT = {given!r} must be a function from the request to context values, or its dotted path"
        )
    result: Callable[[HttpRequest], Any] = function
    return result
