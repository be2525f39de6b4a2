"""When the next update is due."""

import anyio
import pytest

from heksherlite.clients.schedule import Schedule

pytestmark = pytest.mark.anyio

FAR = 1000.0


async def is_due(schedule: Schedule) -> bool:
    """Tell whether an update is due now, or within a moment."""
    with anyio.move_on_after(0.01):
        await schedule.wait()
        return True
    return False


async def test_the_first_is_due_at_once() -> None:
    """There is no reason to wait before the first update, and the interval before the second."""
    schedule = Schedule(FAR)
    assert await is_due(schedule)
    schedule.succeeded()
    assert not await is_due(schedule)
    schedule.wake()
    assert await is_due(schedule)


async def test_a_hint() -> None:
    """A hint makes an update due, also one that comes while another update is under way."""
    schedule = Schedule(FAR)
    await schedule.wait()
    schedule.hint(0)
    schedule.succeeded()
    with anyio.fail_after(10):
        await schedule.wait()
    schedule.succeeded()
    assert not await is_due(schedule)


async def test_a_hint_during_a_back_off() -> None:
    """While updates fail, a hint waits until one has succeeded."""
    schedule = Schedule(FAR)
    await schedule.wait()
    schedule.failed(1, FAR)
    schedule.hint(0)
    assert not await is_due(schedule)
    schedule.succeeded()
    with anyio.fail_after(10):
        await schedule.wait()


async def test_many_hints() -> None:
    """However many hints there are, updates are a tenth of a second apart."""
    schedule = Schedule(FAR)
    await schedule.wait()
    began = anyio.current_time()
    for _ in range(3):
        schedule.succeeded()
        schedule.hint(0)
        await schedule.wait()
    assert anyio.current_time() - began >= 0.3


async def test_a_failure_ends_a_long_wait() -> None:
    """An update that fails while the next one is far away brings that near."""
    schedule = Schedule(FAR)
    await schedule.wait()
    schedule.succeeded()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(schedule.wait)
            await anyio.wait_all_tasks_blocked()
            schedule.failed(1, None)


async def test_rest() -> None:
    """Nothing is due until there is a reason for an update."""
    schedule = Schedule(0.001)
    schedule.rest()
    assert not await is_due(schedule)
    schedule.wake()
    assert await is_due(schedule)
