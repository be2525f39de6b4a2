"""Nothing ends the updates, and the status tells the truth."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient, main_client
from heksherlite.clients.clock import now
from tests.sdk.conftest import Connect, Log, async_client
from tests.sdk.scripted_service import QUERY, ScriptedService
from tests.service.api import FEATURES, Api
from tests.waiting import until, until_async

RAISED = [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


def has(setting: Setting[int], value: int) -> bool:
    return setting.get(user=str(value)) == value


@pytest.mark.parametrize("error", RAISED, ids=repr)
@pytest.mark.parametrize("place", ["listener", "client listener", "validator", "on_coerce", "on_update_ok"])
def test_updates_go_on_whatever_the_program_raises(
    service: Api, connect: Connect, place: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a function of the program raises, also what usually ends a thread, later rules arrive."""
    setting = Setting("x", int, ["user"], 1, on_coerce=raising(error) if place == "on_coerce" else None)
    other = Setting("other", int, ["user"], 1)
    if place == "on_update_ok":
        monkeypatch.setattr(ThreadHeksherClient, "on_update_ok", raising(error))
    client = connect(service.url, 0.05)
    if place == "listener":
        setting.on_change(raising(error))
    elif place == "client listener":
        client.on_change(raising(error))
    elif place == "validator":
        setting.add_validator(raising(error))
    for value in (2, 3):
        service.add_rule(value, "x", user=str(value))
        service.add_rule(value, "other", user=str(value))
        until(partial(has, other, value))
    assert client.status.state == "fresh"
    assert client.is_updating


def test_an_event_hook_that_exits_fails_the_request(service: Api) -> None:
    """``SystemExit`` of an event hook of httpx fails its request, and the next update succeeds."""
    setting = Setting("x", int, ["user"], 1)
    armed = threading.Event()

    def hook(_: Any) -> None:
        if armed.is_set():
            raise SystemExit(3)

    args = {"event_hooks": {"request": [hook]}}
    client = ThreadHeksherClient(service.url, 0.05, FEATURES, http_client_args=args, push=False)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    with client:
        armed.set()
        until(lambda: client.status.state == "stale")
        assert "SystemExit(3)" in str(client.status.last_error)
        armed.clear()
        service.add_rule(2, "x", user="a")
        until(lambda: setting.get(user="a") == 2)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_listener_that_awaits_a_cancelled_task(service: Api) -> None:
    """A ``CancelledError`` that a listener gets from another task does not cancel the updates."""
    setting = Setting("x", int, ["user"], 1)
    other = asyncio.create_task(asyncio.sleep(1000))

    @setting.on_change
    async def restart(*_: Any) -> None:
        other.cancel()
        await other

    async with async_client(service.url, 0.05) as client:
        for value in (2, 3):
            service.add_rule(value, "x", user=str(value))
            await until_async(partial(has, setting, value))
        assert client.status.state == "fresh"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_updates_that_were_cancelled_start_again(service: Api, log: Log) -> None:
    """If the program cancels all tasks of its loop, the status says so at once, and updates start again."""
    setting = Setting("x", int, ["user"], 1)
    async with async_client(service.url, 0.05) as client:
        for task in asyncio.all_tasks():
            if "BackgroundTask" in repr(task.get_coro()):
                task.cancel()
        await until_async(lambda: not client.is_updating)
        assert client.status.state == "stale"
        service.add_rule(2, "x", user="a")
        await until_async(lambda: setting.get(user="a") == 2)
        assert client.is_updating
    assert log.of("heksher updates were cancelled, and are started again")


@pytest.mark.anyio
async def test_work_that_raises_starts_again(service: Api, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the client itself is logged with its reason, and updates start again after a pause."""
    setting = Setting("x", int, ["user"], 1)
    async with async_client(service.url, 0.05) as client:
        runner = client._runner
        assert runner is not None
        with monkeypatch.context() as patch:
            patch.setattr(type(runner._schedule), "wait", raising(SystemError("broken")))
            runner.wake()
            await until_async(lambda: log.of("heksher updates ended, and are started again"))
        service.add_rule(2, "x", user="a")
        await until_async(lambda: setting.get(user="a") == 2)


def test_values_are_stale_when_no_update_came(
    scripted: ScriptedService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``max_staleness`` too, values are stale three intervals and two seconds after the last update."""
    setting = Setting("x", int, ["user"], 1)
    client = connect(scripted.url, 100)
    started = now()
    monkeypatch.setattr("heksherlite.clients.base.now", lambda: started + 295)
    assert client.status.state == "fresh"
    monkeypatch.setattr("heksherlite.clients.base.now", lambda: started + 303)
    status = client.status
    assert (status.state, status.consecutive_failures) == ("stale", 0)
    assert status.age == pytest.approx(303, abs=10)
    del setting


def test_a_client_is_updating_from_start_to_close(scripted: ScriptedService) -> None:
    """``is_updating`` is true from ``set_as_main`` until ``close``."""
    client = ThreadHeksherClient(scripted.url, 1000, FEATURES, push=False)
    assert not client.is_updating
    with client:
        assert client.is_updating
    assert not client.is_updating


def test_closing_in_a_listener(service: Api) -> None:
    """A listener may close the client that calls it: the thread ends, and nothing is raised."""
    setting = Setting("x", int, ["user"], 1)
    client = ThreadHeksherClient(service.url, 0.05, FEATURES, push=False)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    client.set_as_main()
    portal = client._portal
    raised: list[BaseException] = []

    @setting.on_change
    def close(*_: Any) -> None:
        try:
            client.close()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    service.add_rule(2, "x", user="a")
    until(lambda: client.status.state == "closed")
    assert portal is not None
    until(portal._ended.done)
    client.close()
    assert raised == []


def test_closing_beside_a_busy_listener(service: Api) -> None:
    """``close`` returns after two seconds although a listener still works."""
    setting = Setting("x", int, ["user"], 1)
    client = ThreadHeksherClient(service.url, 0.05, FEATURES, push=False)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    client.set_as_main()
    busy, done = threading.Event(), threading.Event()

    @setting.on_change
    def work(*_: Any) -> None:
        busy.set()
        done.wait(30)

    service.add_rule(2, "x", user="a")
    assert busy.wait(30)
    began = time.monotonic()
    client.close()
    took = time.monotonic() - began
    done.set()
    assert took < 20
    assert client.status.state == "closed"


def test_waiting_calls_end_when_the_client_closes(scripted: ScriptedService) -> None:
    """A thread that waits in ``reload`` while another closes the client gets a RuntimeError."""
    setting = Setting("x", int, ["user"], 1)
    client = ThreadHeksherClient(scripted.url, 1000, FEATURES, push=False)
    client.set_as_main()
    raised: list[BaseException] = []

    def reload() -> None:
        try:
            client.reload()
        except RuntimeError as error:
            raised.append(error)

    scripted.held.clear()
    seen = len(scripted.of(QUERY))
    thread = threading.Thread(target=reload)
    thread.start()
    until(lambda: client._portal is not None and len(client._portal._waiting) > 0)
    client.close()
    thread.join(30)
    scripted.held.set()
    assert ["closed" in str(error) for error in raised] == [True]
    assert seen <= len(scripted.of(QUERY))
    del setting


async def _leave_running(url: str) -> Any:
    client = async_client(url, 0.05)
    await client.set_as_main()
    return client


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the loop left its sockets open
@pytest.mark.parametrize("closing_backend", ["asyncio", "trio"])
def test_closing_after_the_event_loop_ended(scripted: ScriptedService, closing_backend: Any) -> None:
    """``aclose`` of a client whose event loop ended raises nothing, in whatever event loop it is called."""
    client = anyio.run(_leave_running, scripted.url)
    assert not client.is_updating
    assert client.status.state == "stale"
    anyio.run(client.aclose, backend=closing_backend)
    assert client.status.state == "closed"
    main_client._main = None  # monkeypatch would keep the client
    del client
    gc.collect()  # so that the warnings about its transports belong to this test


PROGRAM = """
import asyncio, logging, sys
from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
kind, url = sys.argv[1:]
setting = Setting("x", int, ["user"], 1)
class App:
    def __init__(self):
        self.client = ThreadHeksherClient(url, 0.1, ["environment", "user", "theme"], push=False)
        self.client.track_contexts(user=TRACK_ALL)
        self.client.set_as_main()
    def __del__(self):
        if kind == "finalizer":
            self.client.close()
async def main():
    client = AsyncHeksherClient(url, 0.1, ["environment", "user", "theme"], push=False)
    client.track_contexts(user=TRACK_ALL)
    await client.set_as_main()
    await asyncio.sleep(0.3)
if kind in ("thread", "finalizer"):
    app = App()
elif kind == "async":
    asyncio.run(main())
else:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
"""


@pytest.mark.parametrize("kind", ["thread", "finalizer", "async", "loop"])
def test_a_program_may_end_without_closing(scripted: ScriptedService, kind: str) -> None:
    """A program that ends without closing its client ends at once, with status 0, and prints nothing."""
    command = [sys.executable, "-W", "default", "-c", PROGRAM, kind, scripted.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_start_without_event_loop_leaves_no_client(
    scripted: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no event loop can be made, ``set_as_main`` raises, and this client or another one can start later."""
    client = ThreadHeksherClient(scripted.url, 1000, FEATURES, push=False)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "Runner", raising(OSError("too many open files")))
        with pytest.raises(OSError, match="too many open files"):
            client.set_as_main()
    assert not client.is_live
    with client:
        assert client.is_updating
