"""A Django application, in one file, whose prices are settings.

Run it with ``HEKSHER_URL=http://127.0.0.1:8888 gunicorn --preload django_shop:application``, or under ASGI with
``uvicorn django_shop:asgi_application``.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient

discount = Setting("discount", int, ["user"], default_value=0)
shipping = Setting("shipping", int, ["user"], default_value=0)


def context_of(request: HttpRequest) -> dict[str, str]:
    """Return the values of context features for a request."""
    return {"user": request.META.get("HTTP_X_USER", "anonymous")}


def terms() -> str:
    """Return what a user pays."""
    return f"{discount.get()} {shipping.get()}"


def read_terms(_: HttpRequest) -> JsonResponse:
    """Read the settings in the request, twice."""
    first = terms()
    time.sleep(0.002)
    return JsonResponse([first, terms()], safe=False)


async def read_terms_in_tasks(_: HttpRequest) -> JsonResponse:
    """Read the settings in an asynchronous view, in tasks and in a thread."""
    found = await asyncio.gather(terms_later(), terms_later(), asyncio.to_thread(terms))
    return JsonResponse([terms(), *found], safe=False)


async def terms_later() -> str:
    """Read the settings after other tasks have run."""
    await asyncio.sleep(0.002)
    return terms()


def stream_statement(_: HttpRequest) -> StreamingHttpResponse:
    """Read the settings while the response is sent, under WSGI."""

    def lines() -> Iterator[str]:
        for _ in range(4):
            yield f"{terms()}\n"
            time.sleep(0.001)

    return StreamingHttpResponse(lines(), content_type="text/plain")


async def stream_statement_in_tasks(_: HttpRequest) -> StreamingHttpResponse:
    """Read the settings while the response is sent, under ASGI."""

    async def lines() -> AsyncIterator[str]:
        for _ in range(4):
            yield f"{await terms_later()}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


urlpatterns = [
    path("terms", read_terms),
    path("tasks", read_terms_in_tasks),
    path("statement", stream_statement),
    path("async_statement", stream_statement_in_tasks),
]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["heksherlite.integrations.django.ContextMiddleware"],
        HEKSHER_CONTEXT=context_of,
    )

application = get_wsgi_application()
asgi_application = get_asgi_application()

if "HEKSHER_URL" in os.environ:
    client = ThreadHeksherClient(os.environ["HEKSHER_URL"], 60, ["user"])
    client.track_contexts(user=TRACK_ALL)
    client.set_as_main()
