"""The application of the service without a server, for tests that look at both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from heksherlite.service.app import create_app
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.store import Store
from tests.service.stores import opened


@dataclass
class Application:
    app: FastAPI
    store: Store
    http: httpx.AsyncClient


@asynccontextmanager
async def application(folder: Path, **options: Any) -> AsyncIterator[Application]:
    """Create the application over an empty database, with a client."""
    async with opened(f"sqlite:///{folder}/in_process.db") as store:
        app = create_app(store, ServiceOptions(**options))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(base_url="http://service", transport=transport) as http:
            yield Application(app, store, http)


def with_application(folder: Path, work: Callable[[Application], Awaitable[None]], **options: Any) -> None:
    """Run a function with an application."""

    async def run() -> None:
        async with application(folder, **options) as made:
            await work(made)

    asyncio.run(run())
