import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

import pytest

from heksherlite import in_force, pinned
from heksherlite.response_bodies import AsyncBody, Body

variable: ContextVar[str] = ContextVar("variable", default="outside")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Check that no block is open."""
    yield
    gc.collect()
    assert in_force._open == ()


def test_a_body_that_fails_ends_its_block() -> None:
    """The error of a body reaches the server, and the block of the request is over."""

    def fail() -> Iterator[str]:
        yield variable.get()
        raise RuntimeError

    with pinned():
        token = variable.set("inside")
        body = Body(fail())
        variable.reset(token)
    assert next(body) == "inside"
    with pytest.raises(RuntimeError):
        next(body)
    assert in_force._open == ()


def test_a_body_runs_in_the_task_that_reads_it() -> None:
    """A body of coroutines may have time-outs, start tasks, and is cancelled with the task that waits for it."""
    seen: list[str] = []

    async def parts() -> AsyncIterator[str]:
        yield variable.get()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        yield await asyncio.create_task(read())
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            seen.append(variable.get())

    async def read() -> str:
        return variable.get()

    async def main() -> None:
        with pinned():
            token = variable.set("inside")
            body = AsyncBody(parts())
            variable.reset(token)
        task = asyncio.create_task(consume(body))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def consume(body: AsyncBody[str]) -> None:
        async for part in body:
            seen.append(part)  # noqa: PERF401 - one by one

    waiting = asyncio.Event()
    asyncio.run(main())
    assert seen == ["inside", "inside", "inside"]
    assert in_force._open == ()


def test_a_body_that_waits_is_closed_with_its_reader() -> None:
    """A step that is abandoned while it waits is closed, as in a loop that ends."""
    seen: list[str] = []

    async def parts() -> AsyncIterator[str]:
        try:
            await asyncio.sleep(1000)
            yield ""
        finally:
            seen.append("closed")

    async def main() -> None:
        with pinned():
            body = AsyncBody(parts())
        step = anext(body)
        step.send(None)
        step.close()

    asyncio.run(main())
    assert seen == ["closed"]
