"""The extension for Flask."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

try:
    import flask
except ModuleNotFoundError as error:
    if error.name != "flask":
        raise
    raise ModuleNotFoundError(
        "heksherlite.integrations.flask needs Flask: pip install 'heksherlite[flask]'", name=error.name
    ) from error

from heksherlite.context_values import ContextValues
from heksherlite.in_force import pinned as pinned_block
from heksherlite.response_bodies import Body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Values = Mapping[str, Any]

_FILE_WRAPPER: Final = "wsgi.file_wrapper"
_REQUEST: Final = "heksherlite.request"
"""The key in the WSGI environment of what ends with the request."""


class Heksher:
    """Gives each request of a Flask application its context values, and lets it read all settings as of one update.

    The values are set for all functions of the request, including those of other extensions and blueprints, and for
    bodies that are generators.

    Args:
        app: The application; or call :meth:`init_app` later.
        context: A function or coroutine function from the request, a :class:`flask.Request`, to the values of context
            features. It is called before all other ``before_request`` functions that were not registered earlier. A
            feature whose value is ``None`` is left out. Coroutine functions need ``flask[async]``.
        pinned: Whether each request runs in a block of :func:`heksherlite.pinned`.

    Raises:
        TypeError: If ``context`` is no function. When a request is handled: if it returns no mapping, or a value that
            has no obvious text.
        ValueError: When a request is handled: if the main client has a constant as the default of a feature that
            ``context`` returns, or the name of a feature looks misspelled.
    """

    def __init__(
        self,
        app: "flask.Flask | None" = None,
        context: Callable[[flask.Request], Values | Awaitable[Values]] | None = None,
        *,
        pinned: bool = True,
    ) -> None:
        if context is not None and not callable(context):
            raise TypeError(f"the context of Heksher must be a function, not {context!r}")
        self._context = context
        self._pinned = pinned
        if app is not None:
            self.init_app(app)

    def init_app(self, app: "flask.Flask") -> None:
        """Add the extension to an application.

        Args:
            app: The application.

        Raises:
            RuntimeError: If the application has the extension already.
        """
        if "heksherlite" in app.extensions:
            raise RuntimeError(f"{app!r} has the extension Heksher already")
        app.extensions["heksherlite"] = self
        app.wsgi_app = self._covering(app.wsgi_app)  # type: ignore[assignment, method-assign]
        if self._context is not None:
            app.before_request_funcs.setdefault(None, []).insert(0, _setting(app.ensure_sync(self._context)))

    def _covering(self, application: "WSGIApplication") -> "WSGIApplication":
        def cover(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            environ[_REQUEST] = values = list[ContextValues]()
            with pinned_block() if self._pinned else nullcontext():
                try:
                    body = application(environ, start_response)
                    file_wrapper = environ.get(_FILE_WRAPPER)
                    if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
                        return body  # the server sends the file by itself
                    return Body(body)
                finally:
                    for set_values in values:
                        set_values.__exit__(None, None, None)

        return cover


def _setting(context: Callable[[flask.Request], Any]) -> Callable[[], None]:
    """Return a function that sets the context values of the current request."""

    def set_values() -> None:
        request = flask.request._get_current_object()  # type: ignore[attr-defined]
        values = ContextValues(context(request))
        values.__enter__()
        request.environ[_REQUEST].append(values)

    return set_values
