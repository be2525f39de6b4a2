"""What takes long is computed one after the other, and no client keeps the others waiting."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from heksherlite.service.turns import Turns, current_client


async def compute(turns: Turns, client: str, work: Callable[[], object]) -> None:
    """Compute something for a client."""
    current_client.set(client)
    await turns.compute(work)


def test_clients_take_turns() -> None:
    """A client that wants one thing does not wait for all that another one wanted before."""
    done: list[str] = []

    async def run() -> None:
        turns, go_on = Turns(), threading.Event()
        first = asyncio.create_task(compute(turns, "greedy", lambda: go_on.wait(10)))
        await asyncio.sleep(0)
        wanted = [("greedy", "g1"), ("greedy", "g2"), ("greedy", "g3"), ("modest", "m1"), ("other", "o1")]
        others = []
        for client, name in wanted:
            others.append(asyncio.create_task(compute(turns, client, partial(done.append, name))))
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *others)
        await compute(turns, "late", partial(done.append, "l1"))

    asyncio.run(run())
    assert done == ["g1", "m1", "o1", "g2", "g3", "l1"]


def test_a_turn_lasts_as_long_as_its_thread() -> None:
    """A request that is given up does not let the next one begin beside it, and one that waits no more is left out."""
    running, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    async def run() -> None:
        turns = Turns()
        tasks = [asyncio.create_task(compute(turns, "a", work)) for _ in range(4)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        tasks[2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False, True, False]
        await compute(turns, "b", work)

    asyncio.run(run())
    assert (running, most) == (0, 1)


def test_a_failure_passes_the_turn_on() -> None:
    """What the function raises is raised, and the next one begins."""

    def fail() -> None:
        raise ValueError("wrong")

    async def run() -> None:
        turns = Turns()
        with pytest.raises(ValueError, match="wrong"):
            await turns.compute(fail)
        assert await turns.compute(lambda: 1) == 1

    asyncio.run(run())
