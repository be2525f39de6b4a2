"""Concurrent loads by many tasks, threads and event loops."""

import asyncio
import gc
import os
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from heksherlite.errors import FaktsError, GrantError, GroupNotFound, NoFaktsFound
from heksherlite.grants import Fakts, HardGrant, LoadRequest, get_current_fakts
from heksherlite.grants.facts import Facts
from tests.grants.loads import Counting
from tests.waiting import SECONDS, until, until_async

TASKS = 1000
THREADS = 50


@pytest.mark.anyio
async def test_a_thousand_tasks() -> None:
    """All tasks get the facts of one load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    responses: list[int] = []

    async def ask() -> None:
        responses.append(await fakts.aget("load.number"))

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(ask)
        await until_async(lambda: grant.requests)
        grant.held.set()
    assert responses == [1] * TASKS
    assert len(grant.requests) == 1


@pytest.mark.anyio
async def test_a_thousand_tasks_and_fifty_threads() -> None:
    """Tasks and plain threads together get the facts of one load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    responses: list[int] = []

    async def ask() -> None:
        responses.append(await fakts.aget("load.number"))

    threads = [threading.Thread(target=lambda: responses.append(fakts.get("load.number"))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(ask)
        await until_async(lambda: grant.requests)
        grant.held.set()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert responses == [1] * (TASKS + THREADS)
    assert len(grant.requests) == 1


def test_missing_path_in_many_threads() -> None:
    """Fifty threads that read a missing path at the same time do not load fifty times."""
    grant = Counting()
    fakts = Fakts(grant)
    fakts.load()
    grant.held.clear()
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(fakts.get, "missing") for _ in range(THREADS)]
        until(lambda: len(_waiting(fakts)) == THREADS - 1)
        grant.held.set()
    assert all(isinstance(future.exception(), GroupNotFound) for future in asked)
    assert len(grant.requests) == 2


def test_refresh_during_a_load() -> None:
    """A forced load that is requested during a plain one follows it; a plain one uses the result of a forced one."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    with ThreadPoolExecutor(3) as pool:
        plain = pool.submit(fakts.get, "load.number")
        until(lambda: grant.requests)
        forced = pool.submit(fakts.get, "load.number", force_refresh=True)
        until(lambda: len(_waiting(fakts)) == 1)
        grant.held.set()
        assert (plain.result(), forced.result()) == (1, 2)
    assert [request.force_refresh for request in grant.requests] == [False, True]


def _waiting(fakts: Fakts) -> Any:
    """Return what waits for the load under way."""
    flight = fakts._loads._shared._flight
    return [] if flight is None else vars(flight.outcome)["_done_callbacks"]


def test_all_waiters_get_the_error() -> None:
    """All waiters get the error of the load, with a traceback that does not accumulate."""
    grant = Counting()
    grant.held.clear()
    grant.failing = GrantError("offline")
    fakts = Fakts(grant)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(fakts.get) for _ in range(THREADS)]
        until(lambda: len(_waiting(fakts)) == THREADS - 1)
        grant.held.set()
        errors = [future.exception() for future in asked]
    assert len(grant.requests) == 1
    for error in errors:
        assert isinstance(error, GrantError)
        assert str(error) == "offline"
        assert [frame.name for frame in traceback.extract_tb(error.__traceback__)].count("aload") == 1
    grant.failing = None
    assert fakts.get("load.number") == 2


@pytest.mark.anyio
async def test_cancellation_while_loading() -> None:
    """After a cancelled load, the next reader loads."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    with anyio.move_on_after(SECONDS) as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fakts.aget)
            await until_async(lambda: grant.requests)
            tasks.cancel_scope.cancel()
    assert not scope.cancelled_caught
    grant.held.set()
    assert await fakts.aget("load.number") == 2


@pytest.mark.anyio
async def test_a_waiter_takes_over() -> None:
    """If the task that loads is cancelled, one of the waiters loads for all of them."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    responses: list[int] = []

    async def ask() -> None:
        responses.append(await fakts.aget("load.number"))

    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as first:
            first.start_soon(ask)
            await until_async(lambda: grant.requests)
            for _ in range(10):
                tasks.start_soon(ask)
            await until_async(lambda: len(_waiting(fakts)) == 10)
            first.cancel_scope.cancel()
        await until_async(lambda: len(grant.requests) == 2)
        grant.held.set()
    assert responses == [2] * 10
    assert len(grant.requests) == 2


@pytest.mark.anyio
async def test_cancelled_waiter() -> None:
    """A cancelled waiter does not disturb the load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fakts.aget)
        await until_async(lambda: grant.requests)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(fakts.aget)
            await until_async(lambda: _waiting(fakts))
            waiting.cancel_scope.cancel()
        grant.held.set()
    assert await fakts.aget("load.number") == 1


def test_waiter_in_a_closed_event_loop() -> None:
    """An event loop that ends while it waits does not disturb the load of another thread."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)

    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fakts.aget)
            await until_async(lambda: _waiting(fakts))
            tasks.cancel_scope.cancel()

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(fakts.get, "load.number")
        until(lambda: grant.requests)
        for backend in ("asyncio", "trio"):
            anyio.run(give_up, backend=backend)
        grant.held.set()
        assert loading.result() == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_abandoned_event_loop() -> None:
    """A load in an event loop that was closed meanwhile counts as cancelled once it is garbage-collected."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    loop = asyncio.new_event_loop()
    task = loop.create_task(fakts.aget())
    while not grant.requests:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del task, loop
    gc.collect()
    grant.held.set()
    assert fakts.get("load.number") == 2


def test_trio_and_asyncio() -> None:
    """A trio program in one thread and an asyncio program in another share a load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(lambda name: anyio.run(lambda: fakts.aget("load.number"), backend=name), backend)
            for backend in ("asyncio", "trio")
        ]
        until(lambda: _waiting(fakts))
        grant.held.set()
        assert [future.result() for future in asked] == [1, 1]


@pytest.mark.anyio
async def test_sync_use_in_the_loops_own_thread() -> None:
    """get() returns what is loaded, and otherwise says to use aget instead of blocking the loop."""
    fakts = Fakts(HardGrant({"a": 1}))
    with fakts:
        with pytest.raises(FaktsError, match=r"facts are not loaded yet.*use 'await aget\(\.\.\.\)'"):
            fakts.get()
        with pytest.raises(FaktsError, match=r"facts are not loaded yet.*use 'await aload\(\.\.\.\)'"):
            fakts.load()
        with pytest.raises(FaktsError, match=r"call load\(\) or aload\(\) first"):
            fakts.get(auto_load=False)
        await fakts.aload()
        assert fakts.get("a") == 1
        assert fakts.load() == {"a": 1}
        with pytest.raises(FaktsError, match=r"there is no 'b' in the facts .*use 'await aget"):
            fakts.get("b")
        with pytest.raises(FaktsError, match="use 'await aget"):
            fakts.get("a", force_refresh=True)
        with pytest.raises(GroupNotFound):
            fakts.get("b", auto_load=False)


@pytest.mark.anyio
async def test_synchronous_use_in_a_worker_thread() -> None:
    """In a worker thread of a running event loop, the load runs in that loop without blocking it."""
    threads: list[threading.Thread] = []

    async def notes_its_thread(_: LoadRequest) -> Facts:
        await anyio.lowlevel.checkpoint()
        threads.append(threading.current_thread())
        return {"a": 1}

    with Fakts(notes_its_thread):
        assert await anyio.to_thread.run_sync(lambda: get_current_fakts().get("a")) == 1
    assert threads == [threading.current_thread()]


def test_synchronous_use_in_an_asyncio_worker_thread() -> None:
    """Worker threads of asyncio work as well, and belong to the block."""

    async def main() -> None:
        with Fakts(HardGrant({"a": 1})):
            assert await asyncio.to_thread(lambda: get_current_fakts().get("a")) == 1

    asyncio.run(main())


@pytest.mark.anyio
async def test_cancelled_worker_thread() -> None:
    """After a cancelled load in a worker thread, the next reader loads."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: anyio.to_thread.run_sync(fakts.get, abandon_on_cancel=True))
        await until_async(lambda: grant.requests)
        tasks.cancel_scope.cancel()
    grant.held.set()
    assert await fakts.aget("load.number") in (1, 2)


@pytest.mark.anyio
async def test_current_facts_of_tasks() -> None:
    """Blocks in concurrent tasks do not affect each other, and child tasks inherit the block around them."""
    outer = Fakts(HardGrant({}))
    inside = [anyio.Event(), anyio.Event()]

    async def enter(number: int) -> None:
        assert get_current_fakts() is outer
        async with Fakts(HardGrant({})) as own:
            inside[number].set()
            await inside[1 - number].wait()
            assert get_current_fakts() is own
        assert get_current_fakts() is outer

    async with outer, anyio.create_task_group() as tasks:
        tasks.start_soon(enter, 0)
        tasks.start_soon(enter, 1)
    with pytest.raises(NoFaktsFound):
        get_current_fakts()


def test_current_facts_of_threads() -> None:
    """A thread that is started inside of a block is outside of it, and can have its own block."""
    own = Fakts(HardGrant({}))

    def run() -> None:
        with pytest.raises(NoFaktsFound):
            get_current_fakts()
        with own:
            assert get_current_fakts() is own

    with Fakts(HardGrant({})) as outer, ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
        assert get_current_fakts() is outer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_during_a_load() -> None:
    """A forked child loads by itself instead of waiting for the load of its parent."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(fakts.get, "load.number")
        until(lambda: grant.requests)
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that hangs would keep the pipes of the test run open
            with suppress(BaseException):
                grant.held.set()
                os._exit(0 if fakts.get("load.number") == 2 else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)
        grant.held.set()
        assert (os.waitstatus_to_exitcode(status), loading.result()) == (0, 1)
