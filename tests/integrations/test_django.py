import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import FileResponse, HttpRequest, JsonResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path

from heksherlite import Setting, SyncStubHeksherClient, in_force
from heksherlite.integrations.django import ContextMiddleware

pytestmark = pytest.mark.usefixtures("nothing_is_left")

MIDDLEWARE = ["heksherlite.integrations.django.ContextMiddleware"]
URLS = "tests_django_urls"


@pytest.fixture(autouse=True, scope="module")
def configured() -> None:
    """Set Django up."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"])
    django.setup()


def context_of(request: HttpRequest) -> dict[str, str | None]:
    assert isinstance(request, HttpRequest)
    return {"user": request.META.get("HTTP_X_USER")}


async def async_context_of(request: HttpRequest) -> dict[str, str | None]:
    await asyncio.sleep(0)
    return context_of(request)


@pytest.fixture(autouse=True)
def views(setting: Setting[str], update: Callable[[], None]) -> Iterator[None]:
    """Install views that read a setting wherever Django lets a program run code."""
    module: Any = ModuleType(URLS)
    functions = [*views_of(setting, update), *streams_of(setting, update)]
    module.urlpatterns = [path(function.__name__, function) for function in functions]
    sys.modules[URLS] = module
    with override_settings(ROOT_URLCONF=URLS, MIDDLEWARE=MIDDLEWARE, HEKSHER_CONTEXT=context_of):
        yield
    del sys.modules[URLS]


def views_of(setting: Setting[str], update: Callable[[], None]) -> list[Any]:
    def view(_: HttpRequest) -> JsonResponse:
        first = setting.get()
        update()
        return JsonResponse([first, setting.get()], safe=False)

    async def async_view(_: HttpRequest) -> JsonResponse:
        first = await asyncio.create_task(read())
        update()
        found = [first, setting.get(), await asyncio.to_thread(setting.get)]
        return JsonResponse(found, safe=False)

    async def read() -> str:
        await asyncio.sleep(0)
        return setting.get()

    def error(_: HttpRequest) -> None:
        raise RuntimeError(setting.get())

    return [view, async_view, error]


def streams_of(setting: Setting[str], update: Callable[[], None]) -> list[Any]:
    def stream(_: HttpRequest) -> StreamingHttpResponse:
        def lines() -> Iterator[str]:
            for _ in range(3):
                yield f"{setting.get()}\n"
                update()

        return StreamingHttpResponse(lines())

    async def async_stream(_: HttpRequest) -> StreamingHttpResponse:
        async def lines() -> AsyncIterator[str]:
            for _ in range(3):
                await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
                yield f"{setting.get()}\n"
                update()

        return StreamingHttpResponse(lines())

    return [stream, async_stream]


def get(name: str) -> Any:
    return Client(raise_request_exception=False).get(f"/{name}", headers={"x-user": "john"})


def aget(name: str, read: Callable[[Any], Any]) -> Any:
    async def request() -> Any:
        response = await AsyncClient(raise_request_exception=False).get(f"/{name}", headers={"x-user": "john"})
        content = [part async for part in response] if response.streaming and response.is_async else response
        return read(content)

    return asyncio.run(request())


@pytest.mark.parametrize("function", [context_of, async_context_of, f"{__name__}.context_of"])
def test_requests_under_wsgi_have_their_values_of_one_update(function: Any) -> None:
    """Views of both kinds and streaming bodies read the same; the next request reads the update."""
    with override_settings(HEKSHER_CONTEXT=function):
        assert get("view").json() == ["john 1", "john 1"]
        assert get("async_view").json() == ["john 2"] * 3
        assert b"".join(get("stream")) == b"john 3\n" * 3
        assert get("error").status_code == 500
        assert get("view").json() == ["john 6", "john 6"]


@pytest.mark.parametrize("function", [context_of, async_context_of, f"{__name__}.async_context_of"])
def test_requests_under_asgi_have_their_values_of_one_update(function: Any) -> None:
    """The same under ASGI, where bodies are made in other tasks than the response."""
    with override_settings(HEKSHER_CONTEXT=function):
        assert aget("view", lambda response: response.json()) == ["john 1", "john 1"]
        assert aget("async_view", lambda response: response.json()) == ["john 2"] * 3
        assert aget("async_stream", b"".join) == b"john 3\n" * 3
        assert aget("error", lambda response: response.status_code) == 500
        assert aget("view", lambda response: response.json()) == ["john 6", "john 6"]


def test_requests_follow_updates_if_told_to() -> None:
    """With ``HEKSHER_PINNED = False``, an update during a request is seen, and the context is still there."""
    with override_settings(HEKSHER_PINNED=False):
        assert get("view").json() == ["john 1", "john 2"]
        assert b"".join(get("stream")) == b"john 2\njohn 3\njohn 4\n"
        assert aget("async_stream", b"".join) == b"john 5\njohn 6\njohn 7\n"


def test_a_body_that_nobody_reads_ends_with_its_response(setting: Setting[str], update: Callable[[], None]) -> None:
    """A response that is closed early ends the block of its request."""
    for request, name in ((get, "stream"), (aget_response, "async_stream")):
        response = request(name)
        update()
        assert type(setting._lookup) is in_force.PinnedLookup
        response.close()
        assert type(setting._lookup).__name__ == "Lookup"


def aget_response(name: str) -> Any:
    async def request() -> Any:
        return await AsyncClient().get(f"/{name}", headers={"x-user": "john"})

    return asyncio.run(request())


def test_files_are_left_to_the_server(tmp_path: Path) -> None:
    """A file that the server can send by itself reaches the server as it is."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with file.open("rb") as opened:
        response: Any = ContextMiddleware(lambda _: FileResponse(opened))(RequestFactory().get("/"))
        assert response.file_to_stream is opened
        assert b"".join(response.streaming_content) == b"content"


def test_without_a_function_requests_are_only_pinned(stub: SyncStubHeksherClient) -> None:
    """Without ``HEKSHER_CONTEXT``, a request has the context defaults of the client, and one update."""
    stub.set_defaults(user="john")
    with override_settings():
        del settings.HEKSHER_CONTEXT
        assert get("view").json() == ["john 1", "john 1"]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("nowhere.context_of", "HEKSHER_CONTEXT = 'nowhere.context_of' cannot be imported: No module named 'nowhere'"),
        ({"user": "john"}, "HEKSHER_CONTEXT = {'user': 'john'} must be a function"),
    ],
)
def test_wrong_settings_are_named(function: Any, text: str) -> None:
    """A wrong ``HEKSHER_CONTEXT`` is found when Django starts."""
    with override_settings(HEKSHER_CONTEXT=function), pytest.raises(ImproperlyConfigured, match=text):
        ContextMiddleware(lambda _: None)
