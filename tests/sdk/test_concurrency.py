import itertools
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import pytest

from heksherlite import Rule, Setting, SyncStubHeksherClient, ThreadHeksherClient, main_client
from tests.sdk.conftest import ALL, Connect, async_client
from tests.sdk.scripted_service import (
    DECLARE,
    FEATURE_ORDER,
    QUERY,
    Received,
    Scripted,
    ScriptedService,
    queried,
    rule,
)
from tests.sdk.threads import own_threads
from tests.service.api import FEATURES, Api
from tests.waiting import until, until_async

READERS = 8


@contextmanager
def readers(read: Callable[[], object]) -> Iterator[None]:
    """Call a function repeatedly in 8 threads during the block, and raise its errors after the block."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            while not stop.is_set():
                read()
                time.sleep(0)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=loop) for _ in range(READERS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # more interleavings, and the service gets its turns
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def test_reads_during_updates_are_valid(service: Api, connect: Connect) -> None:
    """While updates stream in, each read in each thread is a value that was in force at some time during the read."""
    setting = Setting("x", int, ["user"], -1)
    service.declare("x", configurable_features=["user"], default_value=-1)
    rule_id = service.add_rule(0, "x", user="a")
    written = 0
    in_force = 0
    connect(service.url, 0.001)

    def read() -> None:
        oldest = in_force
        value = setting.get(user="a")
        newest = written
        assert oldest <= value <= newest
        assert setting.get(user="b") == -1

    with readers(read):
        for number in range(1, 20):
            written = number
            service.call("PUT", f"rules/{rule_id}/value", {"value": number})
            until(lambda: setting.get(user="a") == written)  # noqa: B023 - called in this very loop
            in_force = number
    assert setting.get(user="a") == 19


def test_no_reader_sees_half_an_update(scripted: ScriptedService, connect: Connect) -> None:
    """The default and all rules of a setting change at once."""
    setting = Setting("x", int, ["environment", "user"], 0)
    generations = itertools.count()
    latest = 0

    def query(_: Received) -> Scripted:
        nonlocal latest
        latest = next(generations)
        rules = [rule(1, latest, user="a"), rule(2, latest, environment="e"), rule(3, latest, user=str(latest))]
        return Scripted(queried("x", latest, *rules))

    scripted.script[QUERY] = query
    connect(scripted.url, 0.001)

    def read() -> None:
        explanation = setting.explain(environment="e", user="a")
        seen = {outcome.rule.value for outcome in explanation.rules} | {explanation.default, explanation.value}
        conditions = [wanted for item in explanation.rules for _, wanted in item.rule.context_features]
        seen |= {int(wanted) for wanted in conditions if wanted.isdigit()}
        assert len(seen) == 1

    with readers(read):
        until(lambda: latest > 20)


def test_defaults_change_while_threads_read(stub: SyncStubHeksherClient) -> None:
    """Threads that read while rules are replaced and defaults added see one state or the next."""
    setting = Setting("x", int, ["environment", "user"], 0)
    stub[setting].rules = 1
    stored = setting.get

    def read() -> None:
        assert setting.get(environment="e", user="u") in (0, 1, 2, 3)
        assert stored(environment="e", user="u") in (0, 1, 2, 3)

    with readers(read):
        for number in range(200):
            stub[setting].rules = [Rule({"user": "u"}, number % 3 + 1), Rule({"environment": "e"}, 4)]
            if number == 100:
                stub.set_defaults(user="u")
    assert setting.get(environment="e") == stored(environment="e") == 199 % 3 + 1


def client_of(url: str, interval: float = 1000) -> ThreadHeksherClient:
    client = ThreadHeksherClient(url, interval, FEATURES, push=False)
    client.track_contexts(**ALL)
    return client


def test_nothing_changes_while_the_lock_is_held(scripted: ScriptedService) -> None:
    """While the program holds the modification_lock of a thread client, no rules are applied; then they are."""
    setting = Setting("x", int, ["user"], 1)
    with client_of(scripted.url, 0.01) as client:
        with client.modification_lock:
            scripted.serve("x", 2)
            before = len(scripted.of(FEATURE_ORDER))
            until(lambda: len(scripted.of(FEATURE_ORDER)) > before)
            client._running()[0].call(anyio.lowlevel.checkpoint)
            assert setting.get(user="a") == 1
        until(lambda: setting.get(user="a") == 2)


def test_no_default_changes_while_the_lock_is_held(service: Api) -> None:
    """The default that comes with the response to a declaration waits for the modification_lock too."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.declare("x", configurable_features=["user"], default_value=2, version="1.1")
    with client_of(service.url) as client:
        with client.modification_lock:
            setting = Setting("x", int, ["user"], 1)
            until(lambda: client._engine.registry.has_latest_defaults)
            assert setting.get(user="a") == 1
        until(lambda: setting.get(user="a") == 2)


@pytest.mark.anyio
async def test_nothing_changes_while_the_async_lock_is_held(scripted: ScriptedService) -> None:
    """The same for the lock of an async client, also if the program asks for a reload meanwhile."""
    setting = Setting("x", int, ["user"], 1)
    async with async_client(scripted.url) as client, anyio.create_task_group() as tasks:
        async with client.modification_lock:
            scripted.serve("x", 2)
            tasks.start_soon(client.reload)
            await until_async(lambda: client.modification_lock.statistics().tasks_waiting)
            assert setting.get(user="a") == 1
        await until_async(lambda: setting.get(user="a") == 2)


def test_defaults_that_are_set_during_an_update_hold(scripted: ScriptedService) -> None:
    """``set_defaults`` between the arrival of rules and their application counts for the new rules."""
    setting = Setting("x", int, ["user"], 1)
    with client_of(scripted.url) as client:
        scripted.serve("x", 2)
        reload = threading.Thread(target=client.reload)
        with client.modification_lock:
            before = len(scripted.of(FEATURE_ORDER))
            reload.start()
            until(lambda: len(scripted.of(FEATURE_ORDER)) > before)
            client._running()[0].call(anyio.lowlevel.checkpoint)
            client.set_defaults(user="a")
        reload.join()
        assert setting.get() == 2


def test_closing_while_the_lock_is_held(service: Api) -> None:
    """``close`` does not wait for an update that waits for the modification_lock."""
    setting = Setting("x", int, ["user"], 1)
    client = client_of(service.url, 0.01)
    client.set_as_main()
    with client.modification_lock:
        service.add_rule(2, "x", user="a")
        client.close()
    assert setting.get(user="a") == 1
    assert not client.modification_lock.locked()


@asynccontextmanager
async def nothing_left(scripted: ScriptedService) -> AsyncIterator[None]:
    """Check that the block leaves no task, thread and connection."""
    tasks = {task.id for task in anyio.get_running_tasks()}
    threads = own_threads()
    yield
    scripted.held.set()
    await until_async(lambda: scripted.connections == 0)
    assert {task.id for task in anyio.get_running_tasks()} <= tasks
    assert own_threads() <= threads


async def cancel_when(condition: Callable[[], bool], scope: anyio.CancelScope) -> None:
    await until_async(condition)
    scope.cancel()


PATHS = [FEATURE_ORDER, DECLARE, QUERY]


@pytest.mark.anyio
@pytest.mark.parametrize("path", PATHS)
async def test_cancelling_set_as_main(scripted: ScriptedService, path: str) -> None:
    """A set_as_main that is cancelled at any of its requests leaves no main client, task, thread or connection."""
    setting = Setting("x", int, ["user"], 1)
    response = scripted.script[path]
    release = threading.Event()

    def wait(_: Received) -> Scripted:
        release.wait()
        assert isinstance(response, Scripted)
        return response

    scripted.script[path] = wait
    async with nothing_left(scripted):
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(cancel_when, lambda: bool(scripted.of(path)), scope)
                await async_client(scripted.url).set_as_main()
            assert scope.cancelled_caught
        assert main_client.main() is None
        release.set()
    scripted.script[path] = response
    scripted.serve("x", 5)
    async with async_client(scripted.url):
        assert setting.get(user="a") == 5


@pytest.mark.anyio
async def test_cancelling_reload(scripted: ScriptedService) -> None:
    """A reload that is cancelled changes nothing, and the client goes on."""
    setting = Setting("x", int, ["user"], 1)
    async with nothing_left(scripted), async_client(scripted.url) as client:
        scripted.held.clear()
        before = len(scripted.received)
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(cancel_when, lambda: len(scripted.received) > before, scope)
                await client.reload()
            assert scope.cancelled_caught
        scripted.held.set()
        scripted.serve("x", 5)
        await client.reload()
        assert setting.get(user="a") == 5


@pytest.mark.anyio
async def test_cancelling_async_with(scripted: ScriptedService) -> None:
    """An async with whose body is cancelled ends the background work, even in the middle of an update."""
    async with nothing_left(scripted), anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with async_client(scripted.url, 0.01):
                scripted.held.clear()
                before = len(scripted.received)
                tasks.start_soon(cancel_when, lambda: len(scripted.received) > before, scope)
                await anyio.sleep_forever()
        assert scope.cancelled_caught


@pytest.mark.anyio
async def test_closing_is_prompt(scripted: ScriptedService) -> None:
    """``aclose`` ends an update that waits for a response, and does not wait for it."""
    async with nothing_left(scripted):
        client = async_client(scripted.url, 0.01)
        await client.set_as_main()
        scripted.held.clear()
        before = len(scripted.received)
        await until_async(lambda: len(scripted.received) > before)
        await client.aclose()
        assert not scripted.held.is_set()


@pytest.mark.anyio
async def test_reloads_at_once(service: Api) -> None:
    """Many reloads side by side all return, with the rules of when they were called or later."""
    setting = Setting("x", int, ["user"], 0)
    async with async_client(service.url) as client:
        rule_id = service.add_rule(0, "x", user="a")

        numbers = itertools.count(1)

        async def change_and_reload() -> None:
            number = next(numbers)
            service.call("PUT", f"rules/{rule_id}/value", {"value": number})
            await client.reload()
            assert setting.get(user="a") >= number

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(change_and_reload)
    assert setting.get(user="a") == 10
