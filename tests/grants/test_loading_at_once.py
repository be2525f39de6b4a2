"""Many tasks, threads and event loops want facts at the same time."""

import asyncio
import gc
import os
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
    """All get the facts of one load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await fakts.aget("load.number"))

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(ask)
        await until_async(lambda: grant.requests)
        grant.held.set()
    assert answers == [1] * TASKS
    assert len(grant.requests) == 1


@pytest.mark.anyio
async def test_a_thousand_tasks_and_fifty_threads() -> None:
    """Tasks and plain threads together get the facts of one load."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await fakts.aget("load.number"))

    threads = [threading.Thread(target=lambda: answers.append(fakts.get("load.number"))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(ask)
        await until_async(lambda: grant.requests)
        grant.held.set()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert answers == [1] * (TASKS + THREADS)
    assert len(grant.requests) == 1


def test_a_missing_path_that_many_ask_for() -> None:
    """Fifty threads that miss one path at once do not load fifty times."""
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


def test_a_refresh_is_not_content_with_a_load() -> None:
    """A forced load that is asked for during a plain one happens after it; a plain one takes what a forced one gets."""
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
    flight = fakts._shared._flight
    return [] if flight is None else vars(flight.outcome)["_done_callbacks"]


def test_all_get_the_error() -> None:
    """Who waited gets the error of the load too, with a traceback that does not grow by that."""
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
    """A load that is cancelled leaves nothing behind: the next one who asks loads."""
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
async def test_another_takes_over_from_a_cancelled_one() -> None:
    """If the task that loads is cancelled, one of those that wait loads for all of them."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await fakts.aget("load.number"))

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
    assert answers == [2] * 10
    assert len(grant.requests) == 2


@pytest.mark.anyio
async def test_who_waits_can_be_cancelled() -> None:
    """One that is cancelled while another loads does not disturb the load."""
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


def test_one_who_waited_in_a_loop_that_ended() -> None:
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
def test_an_event_loop_that_is_abandoned() -> None:
    """A load in an event loop that was closed in the middle of it counts as given up once it is collected."""
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


def test_two_kinds_of_event_loops() -> None:
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
    """get() answers what is loaded, and otherwise says to use aget instead of blocking the loop."""
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
async def test_sync_use_in_a_worker_thread() -> None:
    """In a worker thread of a running loop the load runs in that loop, which goes on meanwhile."""
    threads: list[threading.Thread] = []

    async def notes_its_thread(_: LoadRequest) -> Facts:
        await anyio.lowlevel.checkpoint()
        threads.append(threading.current_thread())
        return {"a": 1}

    with Fakts(notes_its_thread):
        assert await anyio.to_thread.run_sync(lambda: get_current_fakts().get("a")) == 1
    assert threads == [threading.current_thread()]


def test_sync_use_in_a_worker_thread_of_asyncio() -> None:
    """The worker threads of asyncio work as well, and are in the block too."""

    async def main() -> None:
        with Fakts(HardGrant({"a": 1})):
            assert await asyncio.to_thread(lambda: get_current_fakts().get("a")) == 1

    asyncio.run(main())


@pytest.mark.anyio
async def test_cancellation_of_a_worker_thread() -> None:
    """A worker thread whose task is cancelled leaves nothing behind either."""
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
async def test_tasks_have_their_own_current_facts() -> None:
    """Blocks in tasks at the same time do not see each other, and children see what is around them."""
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


def test_threads_have_their_own_current_facts() -> None:
    """A thread that is started inside of a block is outside of it, and may have a block of its own."""
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
def test_a_fork_while_another_thread_loads() -> None:
    """In the child nobody goes on with the load, so it loads itself instead of waiting for ever."""
    grant = Counting()
    grant.held.clear()
    fakts = Fakts(grant)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(fakts.get, "load.number")
        until(lambda: grant.requests)
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                grant.held.set()
                os._exit(0 if fakts.get("load.number") == 2 else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)
        grant.held.set()
        assert (os.waitstatus_to_exitcode(status), loading.result()) == (0, 1)
