"""The snapshot keeper: when it reads and writes the file, and which settings it restores."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from heksherlite import TRACK_ALL, Setting
from heksherlite.clients import snapshot_keeper
from heksherlite.clients.flows import FlowRunner
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.clients.snapshot_keeper import SnapshotKeeper
from heksherlite.engine.engine import Engine
from heksherlite.engine.options import ContextOptions
from heksherlite.http.transport import ResponseLimits, Transport
from tests.sdk.conftest import Log
from tests.sdk.test_engine_state import Service, update

pytestmark = pytest.mark.anyio

URL = "http://service.example"
INTERVAL = 1000.0


class Clock:
    """The clock of the keeper, which only moves when a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(snapshot_keeper, "now", clock)
    return clock


def file_in(folder: Path) -> SnapshotFile:
    return SnapshotFile(folder / "snapshot", service=URL, context_features=["user"])


def keeper_in(folder: Path, *settings: Setting[Any]) -> tuple[SnapshotKeeper, Engine]:
    """Return a keeper with an engine of these settings. No request is sent."""
    engine = Engine(["user"], ContextOptions(), keeps_responses=True)
    engine.track_contexts({"user": TRACK_ALL})
    engine.adopt(settings)
    flows = FlowRunner(Transport(URL, None, ResponseLimits(10, 2**20)))
    return SnapshotKeeper(engine, file_in(folder), URL, INTERVAL, modification_lock=nullcontext(), flows=flows), engine


def service_with(**users: int) -> Service:
    service = Service()
    service.users = users
    return service


async def save(folder: Path, **users: int) -> None:
    """Write the snapshot of a service."""
    keeper, engine = keeper_in(folder, setting := Setting("x", int, ["user"], 0))
    update(engine, service_with(**users))
    assert setting.get(user="nobody") == 0
    keeper.note_update()
    await keeper.save()


async def test_nothing_is_written_without_an_update(tmp_path: Path) -> None:
    """Without an update there is nothing to save."""
    keeper, engine = keeper_in(tmp_path, setting := Setting("x", int, ["user"], 0))
    update(engine, service_with(a=1))
    await keeper.save()
    await keeper.save_if_due()
    assert not file_in(tmp_path).path.exists()
    assert setting.get(user="a") == 1


async def test_the_file_is_written_once_per_interval(tmp_path: Path, clock: Clock) -> None:
    """Within the interval after a write, only ``save`` writes. Afterwards, ``save_if_due`` does too."""
    keeper, engine = keeper_in(tmp_path, setting := Setting("x", int, ["user"], 0))
    service = service_with(a=1)
    written = []
    for seconds, write in [(0, keeper.save_if_due), (INTERVAL - 1, keeper.save_if_due), (INTERVAL, keeper.save_if_due)]:
        clock.now = seconds
        service.users["a"] += 1
        service.revision += 1
        update(engine, service)
        keeper.note_update()
        await write()
        written.append(file_in(tmp_path).path.read_bytes())
    first, within_the_interval, after_it = written
    assert first == within_the_interval
    assert after_it != first
    assert setting.get(user="a") == 4


async def test_a_failed_write_is_repeated(tmp_path: Path, log: Log) -> None:
    """What could not be written is still to be saved, and is written once that is possible."""
    folder = tmp_path / "folder"
    folder.write_text("a file where the folder should be", "utf-8")
    keeper, engine = keeper_in(folder, setting := Setting("x", int, ["user"], 0))
    update(engine, service_with(a=1))
    keeper.note_update()
    await keeper.save()
    assert len(log.of("snapshot cannot be written")) == 1
    folder.unlink()
    await keeper.save()
    assert file_in(folder).path.exists()
    assert setting.get(user="a") == 1


async def test_settings_are_restored_once(tmp_path: Path) -> None:
    """Reading restores the values, and later calls restore only the settings that were created since."""
    await save(tmp_path, a=1)
    keeper, engine = keeper_in(tmp_path, first := Setting("x", int, ["user"], 0))
    assert keeper.taken_at is None
    (change,) = await keeper.read()
    assert (change.setting, first.get(user="a")) == (first, 1)
    assert keeper.taken_at is not None
    assert await keeper.restore() == []
    engine.adopt([second := Setting("x", int, ["user"], 0)])
    (change,) = await keeper.restore()
    assert (change.setting, second.get(user="a")) == (second, 1)


async def test_values_of_the_service_are_not_replaced(tmp_path: Path) -> None:
    """A setting that was loaded from the service keeps its newer values."""
    await save(tmp_path, a=1)
    keeper, engine = keeper_in(tmp_path, setting := Setting("x", int, ["user"], 0))
    update(engine, service_with(a=2))
    assert await keeper.read() == []
    assert setting.get(user="a") == 2


async def test_a_missing_file_restores_nothing(tmp_path: Path) -> None:
    """Without a file, settings keep their defaults, and the error names the path."""
    keeper, _ = keeper_in(tmp_path, setting := Setting("x", int, ["user"], 7))
    assert await keeper.read() == []
    assert keeper.taken_at is None
    assert str(tmp_path / "snapshot") in str(keeper.error())
    assert setting.get(user="a") == 7


async def test_the_time_of_the_snapshot(tmp_path: Path) -> None:
    """``taken_at`` is the time at which the snapshot was written."""
    before = time.time()
    await save(tmp_path, a=1)
    keeper, _ = keeper_in(tmp_path, Setting("x", int, ["user"], 0))
    await keeper.read()
    assert keeper.taken_at is not None
    assert before - 1 <= keeper.taken_at.timestamp() <= time.time()
