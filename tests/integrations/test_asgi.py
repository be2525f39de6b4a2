import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from heksherlite import Setting
from heksherlite.integrations.asgi import ContextMiddleware, Scope

pytestmark = [pytest.mark.usefixtures("nothing_is_left"), pytest.mark.anyio]

Read = Callable[[], str]


def context_of(scope: Scope) -> dict[str, str | None]:
    return {"user": dict(scope["headers"]).get(b"x-user", b"").decode() or None}


def application(setting: Setting[str], update: Callable[[], None], background: list[str]) -> FastAPI:
    """Return an application that reads a setting wherever FastAPI lets a program run code."""
    app = FastAPI()

    def read() -> str:
        return setting.get()

    add_handlers(app, read, update, background)
    add_bodies(app, read, update)
    add_background_tasks(app, read, update, background)
    return app


def add_handlers(app: FastAPI, read: Read, update: Callable[[], None], background: list[str]) -> None:
    async def read_later() -> str:
        await anyio.lowlevel.checkpoint()
        return read()

    def generated() -> Iterator[str]:
        yield read()
        background.append(read())

    @app.get("/everywhere")
    async def everywhere(
        of_function: Annotated[str, Depends(read)], of_coroutine: Annotated[str, Depends(read_later)]
    ) -> list[str]:
        found = [of_function, of_coroutine, read()]
        update()

        async def add() -> None:
            found.append(await read_later())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(add)
            tasks.start_soon(add)
        return [*found, await anyio.to_thread.run_sync(read), read()]

    @app.get("/function")
    def function(found: Annotated[str, Depends(read)]) -> list[str]:
        update()
        return [found, read()]

    @app.get("/generator")
    def generator(found: Annotated[str, Depends(generated)]) -> list[str]:
        update()
        return [found, read()]

    @app.get("/error")
    def fail() -> None:
        raise RuntimeError(read())


def add_bodies(app: FastAPI, read: Read, update: Callable[[], None]) -> None:
    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for _ in range(3):
                yield f"{read()}\n"
                update()

        return StreamingResponse(lines())

    @app.get("/stream_of_function")
    def stream_of_function() -> StreamingResponse:
        def lines() -> Iterator[str]:
            for _ in range(3):
                yield f"{read()}\n"
                update()

        return StreamingResponse(lines())


def add_background_tasks(app: FastAPI, read: Read, update: Callable[[], None], background: list[str]) -> None:
    async def add() -> None:
        await anyio.lowlevel.checkpoint()
        background.append(read())

    @app.get("/background")
    def in_background(tasks: BackgroundTasks) -> str:
        tasks.add_task(update)
        tasks.add_task(lambda: background.append(read()))
        tasks.add_task(add)
        return read()


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"x-user": "john"})


@pytest.mark.parametrize("wrapped", ["alone", "within BaseHTTPMiddleware", "around BaseHTTPMiddleware"])
async def test_the_whole_request_has_its_values_of_one_update(
    setting: Setting[str], update: Callable[[], None], wrapped: str
) -> None:
    """Dependencies, tasks, threads, bodies and background tasks read the same, whatever middleware there is."""
    background: list[str] = []
    app: Any = application(setting, update, background)

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return await call_next(request)

    if wrapped.startswith("around"):
        app = Passing(app)
    app = ContextMiddleware(app, context=context_of)
    if wrapped.startswith("within"):
        app = Passing(app)
    for number, path in enumerate(
        ["everywhere", "function", "stream", "stream_of_function", "background", "generator", "error"]
    ):
        before = setting.get(user="john")
        async with client_of(app) as http:
            response = await http.get(f"/{path}")
        if path == "error":
            assert response.status_code == 500
        else:
            read = [response.json()] if path == "background" else _values(response)
            assert (number, set(read)) == (number, {before})
        assert set(background) <= {before}
        assert len(background) == {"background": 2, "generator": 1}.get(path, 0)
        background.clear()


def _values(response: httpx.Response) -> list[str]:
    return response.json() if response.text.startswith("[") else response.text.splitlines()


async def test_requests_at_the_same_time_have_their_own_values(setting: Setting[str]) -> None:
    """Requests that overlap see their own context, from a coroutine function too."""
    found: dict[str, set[str]] = {"john": set(), "jane": set()}
    arrived: list[str] = []
    both = anyio.Event()

    async def context(scope: Scope) -> dict[str, str | None]:
        await anyio.lowlevel.checkpoint()
        return context_of(scope)

    async def app(scope: Any, _: Any, send: Any) -> None:
        user = dict(scope["headers"])[b"x-user"].decode()
        arrived.append(user)
        if len(arrived) == 2:
            both.set()
        await both.wait()
        found[user].add(setting.get())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        found[user].add(setting.get())

    async with client_of(ContextMiddleware(app, context)) as http, anyio.create_task_group() as tasks:
        for user in found:
            tasks.start_soon(lambda user=user: http.get("/", headers={"x-user": user}))  # type: ignore[misc]
    assert found == {"john": {"john 1"}, "jane": {"jane 1"}}


async def test_requests_follow_updates_if_told_to(setting: Setting[str], update: Callable[[], None]) -> None:
    """With ``pinned=False``, an update during a request is seen."""
    app = ContextMiddleware(application(setting, update, []), context=context_of, pinned=False)
    async with client_of(app) as http:
        assert _values(await http.get("/stream")) == ["john 1", "john 2", "john 3"]


async def test_a_task_that_outlives_the_request_follows_updates(
    setting: Setting[str], update: Callable[[], None], anyio_backend_name: str
) -> None:
    """A task that a request leaves behind keeps the context values, and reads what is in force."""
    if anyio_backend_name == "trio":
        pytest.skip("tasks of trio cannot outlive their scope")
    tasks: list[asyncio.Task[str]] = []
    ended = asyncio.Event()

    async def read() -> str:
        await ended.wait()
        return setting.get()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        tasks.append(asyncio.create_task(read()))
        update()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": setting.get().encode()})

    async with client_of(ContextMiddleware(app, context_of)) as http:
        assert (await http.get("/")).text == "john 1"
    ended.set()
    assert await tasks[0] == "john 2"


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (lambda _: None, "context values must be a mapping from context features to values, not None"),
        (lambda _: {"user": 1.5}, "the value 1.5 of context feature 'user' has no obvious text"),
    ],
)
async def test_wrong_values_fail_the_request(context: Any, text: str) -> None:
    """A function that returns something else than context values fails the request with a message about that."""
    app = ContextMiddleware(FastAPI(), context)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        with pytest.raises(TypeError, match=text):
            await http.get("/")


async def test_a_context_that_is_no_function_is_refused() -> None:
    """A mapping in place of the function is refused when the application is put together."""
    with pytest.raises(TypeError, match=r"must be a function, not \{'user': 'john'\}"):
        ContextMiddleware(FastAPI(), {"user": "john"})  # type: ignore[arg-type]


async def test_websockets_have_values_and_follow_updates(setting: Setting[str], update: Callable[[], None]) -> None:
    """A connection that may last for hours has its context values and is not pinned."""
    app = FastAPI()

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        for _ in range(2):
            await socket.send_text(setting.get())
            update()

    app.add_middleware(ContextMiddleware, context=context_of)
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        if "text" in message:
            sent.append(message["text"])

    scope = {"type": "websocket", "path": "/", "headers": [(b"x-user", b"john")], "query_string": b""}
    await app(scope, receive, send)
    assert sent == ["john 1", "john 2"]


async def test_other_messages_of_the_server_pass(setting: Setting[str]) -> None:
    """Startup and shutdown reach the application, without context values."""
    received: list[tuple[Any, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.append((scope["type"], receive, send))

    async def server(*_: Any) -> Any:
        """Send and receive nothing."""

    def context(_: Scope) -> dict[str, str]:
        return {"user": setting.get()}

    await ContextMiddleware(app, context)({"type": "lifespan"}, server, server)
    assert received == [("lifespan", server, server)]
