import gc
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wsgi import FileWrapper, wrap_file

from heksherlite import Setting, in_force
from heksherlite.integrations.flask import Heksher

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def context_of(request: flask.Request) -> dict[str, str | None]:
    assert isinstance(request, flask.Request)
    return {"user": request.headers.get("x-user")}


@pytest.fixture
def read() -> list[str]:
    """Return what functions of the application that return nothing have read."""
    return []


@pytest.fixture
def app(setting: Setting[str], update: Callable[[], None], read: list[str]) -> flask.Flask:
    """Return an application that reads a setting wherever Flask lets a program run code."""
    app = flask.Flask(__name__)
    add_hooks(app, setting, read)
    add_views(app, setting, update)
    add_bodies(app, setting, update)
    return app


def add_hooks(app: flask.Flask, setting: Setting[str], read: list[str]) -> None:
    @app.before_request
    def before() -> None:
        read.append(setting.get())

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        read.append(setting.get())
        return response

    @app.teardown_request
    def teardown(_: BaseException | None) -> None:
        read.append(setting.get())

    @app.errorhandler(500)
    def show(_: Exception) -> str:
        return setting.get()


def add_views(app: flask.Flask, setting: Setting[str], update: Callable[[], None]) -> None:
    @app.get("/view")
    def view() -> list[str]:
        first = setting.get()
        update()
        return [first, setting.get()]

    @app.get("/async")
    async def async_view() -> list[str]:
        update()
        return [setting.get()]

    @app.get("/error")
    def fail() -> str:
        raise RuntimeError


def add_bodies(app: flask.Flask, setting: Setting[str], update: Callable[[], None]) -> None:
    @app.get("/stream")
    def stream() -> flask.Response:
        def lines() -> Iterator[str]:
            for _ in range(3):
                yield f"{setting.get()}\n"
                update()

        return flask.Response(lines())

    @app.get("/stream_with_context")
    def stream_with_context() -> flask.Response:
        def lines() -> Iterator[str]:
            for _ in range(3):
                yield f"{setting.get()} {flask.request.path}\n"
                update()

        return flask.Response(flask.stream_with_context(lines()))


def get(app: flask.Flask, path: str) -> Any:
    return app.test_client().get(path, headers={"x-user": "john"}, buffered=True)  # closes the body


def test_the_whole_request_has_its_values_of_one_update(app: flask.Flask, read: list[str]) -> None:
    """Views, hooks, error handlers and bodies read the same; the next request reads the update."""
    Heksher(app, context_of)
    assert get(app, "/view").json == ["john 1", "john 1"]
    assert get(app, "/async").json == ["john 2"]
    assert get(app, "/stream").text == "john 3\n" * 3
    assert get(app, "/stream_with_context").text == "john 6 /stream_with_context\n" * 3
    assert get(app, "/error").text == "john 9"
    hooks = {1: 3, 2: 3, 3: 3, 6: 4, 9: 3}  # with stream_with_context, Flask tears the request down twice
    assert read == [f"john {number}" for number, calls in hooks.items() for _ in range(calls)]


def test_requests_follow_updates_if_told_to(app: flask.Flask) -> None:
    """With ``pinned=False``, an update during a request is seen. The context function may be a coroutine function."""

    async def context(request: flask.Request) -> dict[str, str | None]:
        return context_of(request)

    Heksher(context=context, pinned=False).init_app(app)
    assert get(app, "/view").json == ["john 1", "john 2"]
    assert get(app, "/stream").text == "john 2\njohn 3\njohn 4\n"


def test_bodies_that_nobody_reads_end_with_their_response(app: flask.Flask, setting: Setting[str]) -> None:
    """If a client disconnects, the server closes the body, and a server that does not is no leak either."""
    Heksher(app, context_of)
    environ = EnvironBuilder("/stream", headers=[("x-user", "john")]).get_environ()
    body: Any = app.wsgi_app(environ, lambda *_: lambda _: None)
    assert next(body) == b"john 1\n"
    assert len(in_force._open) == 1
    body.close()
    assert not in_force._open
    body = app.wsgi_app(environ, lambda *_: lambda _: None)
    assert next(body) == b"john 1\n"
    del body
    gc.collect()
    assert type(setting._lookup).__name__ == "Lookup"


def test_what_runs_when_the_response_is_closed_is_part_of_the_request(app: flask.Flask, setting: Setting[str]) -> None:
    """Functions that run after the response was sent have the context and the update of the request."""
    Heksher(app, context_of)
    found: list[str] = []

    @app.after_request
    def call_later(response: flask.Response) -> flask.Response:
        response.call_on_close(lambda: found.append(setting.get()))
        return response

    assert get(app, "/view").json == ["john 1", "john 1"]
    assert found == ["john 1"]


def test_a_body_is_made_in_any_thread(app: flask.Flask) -> None:
    """A server may iterate over the body in another thread than the one that called the application."""
    Heksher(app, context_of)
    environ = EnvironBuilder("/stream", headers=[("x-user", "john")]).get_environ()
    body: Any = app.wsgi_app(environ, lambda *_: lambda _: None)
    parts: list[bytes] = [next(body)]
    thread = threading.Thread(target=parts.extend, args=(body,))
    thread.start()
    thread.join()
    assert parts == [b"john 1\n"] * 3


def test_files_are_left_to_the_server(app: flask.Flask) -> None:
    """A file that the server can send by itself reaches the server as it is."""
    Heksher(app, context_of)

    @app.get("/file")
    def send() -> flask.Response:
        body = wrap_file(flask.request.environ, io.BytesIO(b"content"))
        return flask.Response(body, direct_passthrough=True)

    environ = EnvironBuilder("/file", headers=[("x-user", "john")]).get_environ()
    environ["wsgi.file_wrapper"] = FileWrapper
    assert isinstance(app.wsgi_app(environ, lambda *_: lambda _: None), FileWrapper)


def test_mistakes_are_named(app: flask.Flask) -> None:
    """A context that is no function, and a second extension, are refused."""
    with pytest.raises(TypeError, match=r"must be a function, not \{'user': 'john'\}"):
        Heksher(app, {"user": "john"})  # type: ignore[arg-type]
    Heksher(app, lambda _: {"user": "john"})
    with pytest.raises(RuntimeError, match="has the extension Heksher already"):
        Heksher(app)
