"""The example applications, tested as their authors would: in the test process, with the plugin of pytest."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import django
import httpx
import pytest
from django.conf import settings
from django.test import AsyncClient, Client, override_settings

from heksherlite.testing import Overrides
from tests.documentation.pages import ROOT


@contextmanager
def imported(name: str) -> Iterator[Any]:
    """Import an example, and forget it afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples" / "web")
        yield import_module(name)
    del sys.modules[name]


@pytest.fixture
def django_shop() -> Iterator[Any]:
    """Return the Django application."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"])
    django.setup()
    with imported("django_shop") as shop:
        middleware = ["heksherlite.integrations.django.ContextMiddleware"]
        with override_settings(ROOT_URLCONF="django_shop", MIDDLEWARE=middleware, HEKSHER_CONTEXT=shop.context_of):
            yield shop


def sell(heksher: Overrides, shop: Any) -> None:
    """Let john have another discount than everybody."""
    heksher.set(shop.discount, 10)
    heksher.set(shop.discount, 20, where={"user": "john"})
    heksher.set(shop.shipping, 5)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_fastapi(heksher: Overrides) -> None:
    """Each route reads what the user of the request pays."""
    with imported("fastapi_shop") as shop:
        sell(heksher, shop)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://test") as http:
            john = {"x-user": "john"}
            assert (await http.get("/terms", headers=john)).json() == ["20 5"] * 4
            assert (await http.get("/dependency")).json() == ["10 5"] * 2
            assert (await http.get("/statement", headers=john)).text == "20 5\n" * 4
            assert (await http.post("/orders", headers=john)).json() == ["20 5"]
            assert (await http.get("/invoices")).json() == ["20 5,20 5"]


def test_flask(heksher: Overrides) -> None:
    """Each route reads what the user of the request pays."""
    with imported("flask_shop") as shop:
        sell(heksher, shop)
        http = shop.app.test_client()
        assert http.get("/terms").json == ["10 5"] * 2
        assert http.get("/statement", headers={"x-user": "john"}).text == "20 5\n" * 4


def test_django(heksher: Overrides, django_shop: Any) -> None:
    """Each route reads what the user of the request pays, under WSGI."""
    sell(heksher, django_shop)
    anybody: Any = Client()
    assert anybody.get("/terms").json() == ["10 5"] * 2
    http: Any = Client(headers={"x-user": "john"})
    assert http.get("/tasks").json() == ["20 5"] * 4
    assert b"".join(http.get("/statement")) == b"20 5\n" * 4


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_django_under_asgi(heksher: Overrides, django_shop: Any) -> None:
    """Each route reads what the user of the request pays, under ASGI."""
    sell(heksher, django_shop)
    http, john = AsyncClient(), {"x-user": "john"}
    assert (await http.get("/tasks", headers=john)).json() == ["20 5"] * 4
    statement: Any = await http.get("/async_statement", headers=john)
    assert b"".join([part async for part in statement]) == b"20 5\n" * 4
