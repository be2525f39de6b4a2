"""A FastAPI application whose prices are settings.

Run it with ``HEKSHER_URL=http://127.0.0.1:8888 uvicorn fastapi_shop:app``.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting
from heksherlite.integrations.asgi import ContextMiddleware, Scope

discount = Setting("discount", int, ["user"], default_value=0)
shipping = Setting("shipping", int, ["user"], default_value=0)
invoices: list[str] = []


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Update the settings while the application runs, if it is told where they are."""
    if "HEKSHER_URL" not in os.environ:
        yield
        return
    client = AsyncHeksherClient(os.environ["HEKSHER_URL"], 60, ["user"])
    client.track_contexts(user=TRACK_ALL)
    async with client:
        yield


def context_of(scope: Scope) -> dict[str, str | None]:
    """Return the values of context features for a request."""
    return {"user": Request(scope).headers.get("x-user", "anonymous")} if scope["type"] == "http" else {}


app = FastAPI(lifespan=lifespan)
app.add_middleware(ContextMiddleware, context=context_of)


def terms() -> str:
    """Return what a user pays."""
    return f"{discount.get()} {shipping.get()}"


@app.get("/terms")
async def read_terms() -> list[str]:
    """Read the settings in the request, in tasks and in a thread."""
    return [terms(), *await asyncio.gather(terms_later(), terms_later(), asyncio.to_thread(terms))]


async def terms_later() -> str:
    """Read the settings after other tasks have run."""
    await asyncio.sleep(0.002)
    return terms()


@app.get("/dependency")
def read_terms_of_dependency(found: Annotated[str, Depends(terms)]) -> list[str]:
    """Read the settings in a dependency and in a function, which FastAPI runs in threads."""
    return [found, terms()]


@app.get("/statement")
async def stream_statement() -> StreamingResponse:
    """Read the settings while the response is sent."""

    async def lines() -> AsyncIterator[str]:
        for _ in range(4):
            yield f"{await terms_later()}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.post("/orders")
async def order(tasks: BackgroundTasks) -> list[str]:
    """Read the settings in the request, and again after the response was sent."""
    at_order = terms()

    async def send_invoice() -> None:
        invoices.append(f"{at_order},{await terms_later()}")

    tasks.add_task(send_invoice)
    return [at_order]


@app.get("/invoices")
async def read_invoices() -> list[str]:
    """Return the invoices that were sent."""
    return invoices
