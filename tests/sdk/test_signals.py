"""What a signal handler raises belongs to the program, whatever code of a client it interrupts."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, main_client
from heksherlite.cancellation import let_signals_pass
from tests.sdk.scripted_service import FEATURE_ORDER, QUERY, Received, Scripted, ScriptedService


class Stopped(Exception):  # noqa: N818 - a program's own
    """What a program raises when it gets a signal."""


def raising(error: BaseException) -> Callable[..., Any]:
    def handle(*_: Any) -> None:
        raise error

    return handle


@contextmanager
def handling(handler: Any) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


def interrupting(*_: Any) -> Any:
    signal.raise_signal(signal.SIGUSR1)


def client_of(scripted: ScriptedService, **options: Any) -> AsyncHeksherClient:
    client = AsyncHeksherClient(scripted.url, 1000, ["user"], push=False, startup="best-effort", **options)
    client.track_contexts(user=TRACK_ALL)
    return client


def interrupted(value: int, rule: Any, setting: Setting[int]) -> int:
    raise KeyboardInterrupt(value, rule, setting)


async def in_hook(_: Any) -> None:
    interrupting()


ERRORS = [Stopped(), TimeoutError("a program's own"), OSError("a program's own")]


@pytest.mark.anyio
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["hook", "validator", "callback"])
async def test_during_an_async_start(scripted: ScriptedService, error: Exception, place: str) -> None:
    """``set_as_main`` raises the exception of the handler itself, even as best effort, and leaves no client."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 5)
    hooks = {"event_hooks": {"request": [in_hook]}} if place == "hook" else {}
    client = client_of(scripted, http_client_args=hooks)
    if place == "validator":
        setting.add_validator(lambda value, rule, setting: interrupting())  # noqa: ARG005
    if place == "callback":
        client.on_update_ok = interrupting  # type: ignore[method-assign]
    with handling(raising(error)), pytest.raises(type(error)) as raised:
        await client.set_as_main()
    assert raised.value is error
    assert main_client.main() is None
    assert not client.is_live


@pytest.mark.anyio
async def test_exceptions_of_functions_are_not_those_of_signals(scripted: ScriptedService) -> None:
    """A validator that raises the same types costs its own value only, although there are handlers."""
    setting = Setting("x", int, ["user"], 1)
    setting.add_validator(interrupted)
    scripted.serve("x", 5)
    client = client_of(scripted)
    with handling(raising(Stopped())):
        async with client:
            assert client.status.state == "fresh"
            assert setting.get(user="a") == 1


class Handler:
    """A handler that is an object."""

    def __call__(self, *_: Any) -> None:
        raise Stopped

    def method(self, *_: Any) -> None:
        raise Stopped


def handle(*_: Any, extra: int = 0) -> None:
    raise Stopped(extra)


@pytest.mark.parametrize(
    "handler", [handle, partial(handle, extra=1), Handler(), Handler().method, lambda *_: handle()]
)
def test_every_kind_of_handler_is_recognized(handler: Any) -> None:
    """Functions, methods, partials and objects are recognized, also as the cause of another exception."""

    def fail() -> None:
        try:
            interrupting()
        except Stopped as error:
            raise ExceptionGroup("of a task group", [ConnectionError()]) from error

    with handling(handler):
        for function in (interrupting, fail):
            try:
                function()
            except Exception as error:  # noqa: BLE001 - as the client does
                with pytest.raises(Stopped):
                    let_signals_pass(error)
                del error
    try:
        handle()
    except Stopped as error:
        let_signals_pass(error)  # it is no handler any more


def test_the_default_handler() -> None:
    """A KeyboardInterrupt of Python's own handler is recognized, and one that a function raises is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        with pytest.raises(KeyboardInterrupt):
            let_signals_pass(error)
    try:
        interrupted(1, None, Setting("x", int, ["user"], 1))
    except KeyboardInterrupt as error:
        let_signals_pass(error)
    signal.signal(signal.SIGINT, before)


PROGRAM = """
import os, signal, sys, threading, time
import anyio
from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting
setting = Setting("x", int, ["user"], 1)
class Stopped({base}): pass
def stop(*_): raise Stopped("by a signal")
signal.signal(signal.SIGTERM, stop)
client = AsyncHeksherClient(sys.argv[1], 0.01, ["user"], push=False, startup="best-effort")
client.track_contexts(user=TRACK_ALL)
updates = []
def note_update():
    updates.append(1)
    if len(updates) == 2:
        signal.raise_signal(signal.SIGTERM)
async def main():
    if {background}:
        client.on_update_ok = note_update
        await client.set_as_main()
        await anyio.sleep(30)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    await client.set_as_main()
    await anyio.sleep(30)
try:
    anyio.run(main)
except Stopped:
    print("stopped")
"""


@pytest.mark.parametrize("background", [False, True])
def test_a_signal_ends_a_program(scripted: ScriptedService, *, background: bool) -> None:
    """A handler that raises a BaseException ends ``asyncio.run``, while the service hangs and during an update."""
    if not background:
        scripted.held.clear()
    scripted.script[FEATURE_ORDER] = Scripted({"context_features": ["user"]})
    program = PROGRAM.format(base="SystemExit", background=background)
    command = [sys.executable, "-c", program, scripted.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.stdout, ended.stderr) == ("stopped\n", "")


@pytest.mark.anyio
async def test_updates_go_on_after_a_signal(scripted: ScriptedService) -> None:
    """If a handler raises an Exception while a background update runs, the update has failed, and updates go on."""
    setting = Setting("x", int, ["user"], 1)
    armed = [False]

    def answer(_: Received) -> Scripted:
        return Scripted({"settings": {"x": {"default_value": 5, "rules": []}}})

    scripted.script[QUERY] = answer

    async def hook(_: Any) -> None:
        if armed and armed.pop():
            interrupting()

    client = AsyncHeksherClient(
        scripted.url, 0.01, ["user"], push=False, http_client_args={"event_hooks": {"request": [hook]}}
    )
    client.track_contexts(user=TRACK_ALL)
    with handling(raising(Stopped())), anyio.fail_after(30):
        async with client:
            assert setting.get(user="a") == 5
            armed.append(True)
            while not isinstance(client.status.last_error, Stopped):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            await client.wait_until_fresh(10)
            assert client.is_updating
