"""The start page and the search are prepared after the start, so that the first person does not wait for them."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from heksherlite.service.console.indexes import index_of_app
from heksherlite.service.console.rendering import compile_template

if TYPE_CHECKING:
    from heksherlite.service.api.context import ServiceContext

_DELAY: Final = 2.0
"""Seconds after the start, because programs that start at the same time load their settings first."""

_START_PAGE: Final = ("macros", "frame", "settings")


async def prepare_pages(app: FastAPI, *, delay: float = _DELAY, until: asyncio.Event) -> None:
    """Prepare the start page and the search with half of a processor; run this as a task.

    Args:
        app: The application.
        delay: The seconds to wait before.
        until: Ends the preparation early.
    """
    pause = delay
    for prepare in _steps(app):
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), pause)
        if until.is_set():
            return
        began = time.monotonic()
        await asyncio.to_thread(prepare)
        pause = time.monotonic() - began


def _steps(app: FastAPI) -> Iterator[Callable[[], object]]:
    yield from (partial(compile_template, name) for name in _START_PAGE)
    context: ServiceContext = app.state.context
    index = index_of_app(app)
    yield lambda: index.view(context.store.catalog).suggestions
    yield from index.view(context.store.catalog).search_preparation()
