"""Processes that do not run for a while: stopped, frozen, or on a suspended machine."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from heksherlite.service.domain import context_features
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage import heartbeat
from heksherlite.service.storage.heartbeat import Heartbeat
from tests.service.stores import following, opened
from tests.service.test_processes import process
from tests.service.tokens import make_token, revoke_token


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the clock of heartbeats forward."""
    ahead = [0.0]
    real = heartbeat.now
    monkeypatch.setattr(heartbeat, "now", lambda: real() + ahead[0])

    def move(seconds: float) -> None:
        ahead[0] += seconds

    return move


def test_a_pause_is_noticed(clock: Callable[[float], None]) -> None:
    """A pause is noticed by the first reader, until the store has caught up."""

    async def run() -> None:
        beats = Heartbeat()
        clock(3600)
        assert not beats.was_paused  # it has not been started
        beats.start()
        assert not beats.was_paused
        clock(3600)
        assert beats.was_paused
        beats._beat()
        assert beats.was_paused
        beats.resume()
        assert not beats.was_paused
        beats.stop()
        clock(3600)
        assert not beats.was_paused

    asyncio.run(run())


def test_a_paused_store_catches_up_before_it_is_read(database: str, clock: Callable[[float], None]) -> None:
    """After a pause, the first reader waits for the changes of others."""

    async def run() -> None:
        async with opened(database, poll_interval=3600) as store, opened(database) as other, following(store):
            await store.load()
            await other.write(partial(context_features.add, name="f"))
            clock(3600)
            await store.catch_up_after_pause()
            assert store.catalog.context_features == ("f",)

    asyncio.run(run())


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
@pytest.mark.thorough
def test_a_token_that_was_revoked_during_a_freeze_is_refused(tmp_path: Path) -> None:
    """The first request after a freeze gets an up-to-date response."""
    path = tmp_path / "a.db"
    token = make_token(path, "ci", Scope.READ)
    with process("--database", str(path), "--auth", "tokens") as (running, api):
        headers = {"authorization": f"Bearer {token}"}
        assert api.call("GET", "settings", headers=headers).status_code == 200
        running.send_signal(signal.SIGSTOP)
        revoke_token(path, "ci")
        time.sleep(1.5)  # a shorter freeze is like the time between two looks at the database
        running.send_signal(signal.SIGCONT)
        assert api.call("GET", "settings", headers=headers).status_code == 401
