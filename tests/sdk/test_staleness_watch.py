"""The staleness watch: what it does when values become stale, and how often."""

from datetime import UTC, datetime

import anyio
import pytest

from heksherlite.clients.clock import now
from heksherlite.clients.policy import OnStale
from heksherlite.clients.staleness_watch import StalenessWatch
from heksherlite.engine.health import Health
from tests.sdk.conftest import Log
from tests.waiting import until_async

pytestmark = pytest.mark.anyio


MAX_STALENESS = 1000.0


def stale_in(seconds: float, health: Health | None = None) -> Health:
    """Return a health whose last success was so long ago that values become stale in some seconds."""
    health = health or Health(MAX_STALENESS)
    health.succeeded(now() - MAX_STALENESS + seconds, datetime.now(UTC), None)
    return health


class Watched:
    """A watch, and what it has done.

    Attributes:
        actions: The statuses that ``on_stale`` was called with, and ``"defaults"`` for each return to the defaults.
    """

    def __init__(self, health: Health, on_stale: OnStale | None = None) -> None:
        self.actions: list[object] = []
        self.status = health.status(now())
        self.watch = StalenessWatch(
            health,
            self.actions.append if on_stale is None else on_stale,
            lambda: self.status,
            self._return_to_defaults,
        )

    async def _return_to_defaults(self) -> None:
        self.actions.append("defaults")


@pytest.mark.parametrize("on_stale", ["default", "keep"])
async def test_defaults_take_over_if_the_policy_says_so(log: Log, on_stale: OnStale) -> None:
    """With ``on_stale="default"`` the settings return their defaults; with ``"keep"`` there is only the warning."""
    watched = Watched(stale_in(-1), on_stale)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watch.run)
        await until_async(lambda: log.of("setting values are stale"))
        tasks.cancel_scope.cancel()
    (record,) = log.of("setting values are stale")
    assert vars(record)["on_stale"] == on_stale
    assert watched.actions == (["defaults"] if on_stale == "default" else [])


async def test_a_function_gets_the_status() -> None:
    """A function is called with the status of the client."""
    watched = Watched(stale_in(-1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watch.run)
        await until_async(lambda: watched.actions)
        tasks.cancel_scope.cancel()
    assert watched.actions == [watched.status]


async def test_it_acts_once_until_values_are_fresh_again() -> None:
    """The watch acts once while values are stale, and again when fresh values become stale."""
    health = stale_in(-1)
    watched = Watched(health)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watch.run)
        await until_async(lambda: watched.actions)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert len(watched.actions) == 1
        stale_in(0.02, health)
        watched.watch.succeeded()
        await until_async(lambda: len(watched.actions) == 2)
        tasks.cancel_scope.cancel()


async def test_a_success_in_time_postpones_it() -> None:
    """An update that succeeds before the values are stale moves the time."""
    health = stale_in(500)
    watched = Watched(health)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watch.run)
        await anyio.lowlevel.checkpoint()
        stale_in(0.02, health)
        watched.watch.succeeded()  # otherwise the watch would wait for 500 seconds
        await until_async(lambda: watched.actions)
        tasks.cancel_scope.cancel()
    assert len(watched.actions) == 1


async def test_a_function_that_raises_does_not_end_the_watch(log: Log) -> None:
    """The exception of a function is logged, and the watch continues."""
    calls: list[object] = []

    def on_stale(status: object) -> None:
        calls.append(status)
        raise ValueError("no")

    health = stale_in(-1)
    watched = Watched(health, on_stale)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watch.run)
        await until_async(lambda: len(calls) == 1)
        stale_in(-1, health)
        watched.watch.succeeded()
        await until_async(lambda: len(calls) == 2)
        tasks.cancel_scope.cancel()
    assert [record for record in log.caplog.records if record.exc_info and record.exc_info[0] is ValueError]
