"""Construction of httpx clients."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.to_thread
import httpx


async def new_http_client(args: Mapping[str, Any]) -> httpx.AsyncClient:
    """Return an :class:`httpx.AsyncClient` with these arguments.

    It is constructed in a worker thread, because loading the certificates takes tens of milliseconds.
    """
    return await anyio.to_thread.run_sync(partial(httpx.AsyncClient, **args))
