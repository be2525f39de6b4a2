"""Programs that start without a service, from a snapshot."""

import gc
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner

from heksherlite import AsyncHeksherClient, Setting, ThreadHeksherClient
from heksherlite.cli.commands import heksherlite
from heksherlite.engine.snapshots import decode
from heksherlite.errors import SnapshotError
from heksherlite.service import embedded
from tests.sdk.conftest import Log
from tests.service.api import FEATURES, Api
from tests.waiting import until

TRACKED = {"environment": "*", "user": "*", "theme": "*"}
Serve = Callable[[], AbstractContextManager[Api]]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def serve(tmp_path: Path, port: int) -> Serve:
    """Run a service that can be stopped and started again on the same port."""

    @contextmanager
    def start() -> Iterator[Api]:
        with embedded(database=tmp_path / "settings.db", port=port, context_features=FEATURES) as service:
            api = Api(service.url)
            yield api
            api.close()

    return start


@pytest.fixture
def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextmanager
def running(url: str, snapshot: Path, interval: float = 1000, **options: Any) -> Iterator[ThreadHeksherClient]:
    client = ThreadHeksherClient(url, interval, FEATURES, push=False, snapshot=snapshot, **options)
    client.track_contexts(**TRACKED)
    with client:
        yield client


def saved(snapshot: Path, *, removed: int) -> bool:
    """Tell whether the removal of a rule about jane is in the snapshot: it is the last thing that happened."""
    files = [*snapshot.glob("*.heksherlite-snapshot")] if snapshot.is_dir() else [snapshot]
    for file in files:
        content = decode(file.read_bytes()).responses[-1].content.decode() if file.exists() else ""
        if f'"removed":[{removed}]' in content or ('"whole":true' in content and "jane" not in content):
            return True
    return False


def prepare(serve: Serve, url: str, snapshot: Path) -> None:
    """Let a client see a rule and a default of the service, and then a change of each kind."""
    first, second = Setting("x", int, ["user"], 1), Setting("y", str, ["user"], "a")
    with serve() as api:
        api.declare("x", default_value=5)
        gone = api.add_rule(8, "x", user="jane")
        with running(url, snapshot, 0.01) as client:
            api.add_rule(7, "x", user="john")
            client.reload()
            api.call("DELETE", f"rules/{gone}")
            client.reload()
            assert (first.get(user="john"), first.get(user="jane"), second.get(user="john")) == (7, 5, "a")
            until(lambda: saved(snapshot, removed=gone))
    del first, second
    gc.collect()


def test_closing_saves(serve: Serve, url: str, tmp_path: Path) -> None:
    """The file has the last state when a client is closed, also if the interval has not passed since it was written."""
    file = tmp_path / "snapshot"
    setting = Setting("x", int, ["user"], 1)
    with serve() as api, running(url, file) as client:
        first = file.read_bytes()
        api.add_rule(7, "x", user="john")
        client.reload()
        assert setting.get(user="john") == 7
        assert file.read_bytes() == first
    assert file.read_bytes() != first
    with running(url, file):
        assert setting.get(user="john") == 7


def test_a_snapshot_that_could_not_be_written(serve: Serve, url: str, tmp_path: Path) -> None:
    """A failed write is repeated, at the latest when the client is closed."""
    obstacle = tmp_path / "folder"
    obstacle.touch()
    setting = Setting("x", int, ["user"], 1)
    with serve() as api:
        api.declare("x", default_value=5)
        with running(url, obstacle / "snapshot"):
            assert setting.get(user="john") == 5
            obstacle.unlink()
    with running(url, obstacle / "snapshot"):
        assert setting.get(user="john") == 5


def test_a_program_starts_from_its_snapshot(serve: Serve, url: str, tmp_path: Path) -> None:
    """What was in force in an earlier process is served without the service, also to settings that come later."""
    folder = tmp_path / "snapshots"
    folder.mkdir()
    prepare(serve, url, folder)
    setting = Setting("x", int, ["user"], 1)
    with running(url, folder) as client:
        assert (setting.get(user="john"), setting.get(user="jane")) == (7, 5)
        assert (client.status.state, client.status.source, client.status.age) == ("stale", "snapshot", None)
        assert client.status.last_success is not None
        late = Setting("x", int, ["user"], 1)
        until(lambda: late.get(user="john") == 7)
        with serve() as api:
            api.add_rule(9, "x", user="jane")
            client.reload()
            assert setting.get(user="jane") == late.get(user="jane") == 9
            assert (client.status.state, client.status.source) == ("fresh", "service")
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.anyio
async def test_an_async_program_starts_from_its_snapshot(serve: Serve, url: str, tmp_path: Path) -> None:
    """An async client with startup="best-effort" does the same. By default it raises."""
    file = tmp_path / "last.snapshot"
    await anyio.to_thread.run_sync(prepare, serve, url, file)
    setting = Setting("x", int, ["user"], 1)
    client = AsyncHeksherClient(url, 1000, FEATURES, snapshot=file, startup="best-effort")
    client.track_contexts(**TRACKED)
    async with client:
        assert setting.get(user="john") == 7
        assert client.status.source == "snapshot"
    required = AsyncHeksherClient(url, 1000, FEATURES, snapshot=file)
    required.track_contexts(**TRACKED)
    with pytest.raises(httpx.ConnectError):
        await required.set_as_main()


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"format":"heksherlite-snapshot","version":99}\n'])
def test_a_snapshot_that_cannot_be_used(url: str, tmp_path: Path, log: Log, content: bytes) -> None:
    """A file that is no snapshot of this version is ignored with one warning, and the defaults are served."""
    file = tmp_path / "last.snapshot"
    file.write_bytes(content)
    setting = Setting("x", int, ["user"], 1)
    with running(url, file) as client:
        assert setting.get(user="john") == 1
        assert (client.status.state, client.status.source) == ("failed", "defaults")
    assert log.one("snapshot cannot be used")["levelname"] == "WARNING"


def test_other_tracking_makes_a_snapshot_foreign(serve: Serve, url: str, tmp_path: Path, log: Log) -> None:
    """A snapshot lacks rules for what was not tracked, so it is not used by a program that tracks something else."""
    file = tmp_path / "last.snapshot"
    prepare(serve, url, file)
    setting = Setting("x", int, ["user"], 1)
    client = ThreadHeksherClient(url, 1000, FEATURES, snapshot=file)
    client.track_contexts(user="john")
    with client:
        assert setting.get(user="john") == 1
    assert "track" in str(log.one("snapshot cannot be used"))


def test_an_exported_snapshot_is_a_bootstrap(serve: Serve, url: str, tmp_path: Path) -> None:
    """What ``heksherlite export`` wrote serves a program that never reaches a service."""
    file = tmp_path / "bootstrap.snapshot"
    with serve() as api:
        api.declare("x", default_value=5)
        api.add_rule(7, "x", user="john")
        result = CliRunner().invoke(heksherlite, ["export", url, "--output", str(file)])
        assert result.exit_code == 0, result.output
    setting = Setting("x", int, ["user"], 1)
    with running("http://127.0.0.1:9", file):
        assert (setting.get(user="john"), setting.get(user="jane")) == (7, 5)


def exported(serve: Serve, url: str, file: Path) -> None:
    """Have a snapshot of a service with the setting x: 5 by default, and 7 for john."""
    with serve() as api:
        api.declare("x", default_value=5)
        api.add_rule(7, "x", user="john")
        CliRunner().invoke(heksherlite, ["export", url, "--output", str(file)], catch_exceptions=False)


def test_a_program_without_a_service(serve: Serve, url: str, tmp_path: Path, log: Log) -> None:
    """Without a service, all settings get their values from the exported snapshot, and no failure is logged."""
    file = tmp_path / "exported"
    exported(serve, url, file)
    content = file.read_bytes()
    setting = Setting("x", int, ["user"], 1)
    unknown = Setting("y", int, ["user"], 2)
    client = ThreadHeksherClient(None, 0.01, FEATURES, snapshot=file, startup="require")
    client.track_contexts(**TRACKED)
    with client:
        assert (setting.get(user="john"), setting.get(user="jane"), unknown.get(user="john")) == (7, 5, 2)
        late = Setting("x", int, ["user"], 1)
        until(lambda: late.get(user="john") == 7)
        client.reload()
        status = client.status
        assert (status.state, status.source, status.undeclared) == ("stale", "snapshot", 0)
        with pytest.raises(RuntimeError, match="there is no service: service_url is None"):
            client.ping()
        assert repr(client) == "<ThreadHeksherClient of no service>"
    assert file.read_bytes() == content
    assert [record for record in log.caplog.records if record.levelname != "INFO"] == []


@pytest.mark.anyio
async def test_an_async_program_without_a_service(serve: Serve, url: str, tmp_path: Path) -> None:
    """The async client does so too."""
    file = tmp_path / "exported"
    await anyio.to_thread.run_sync(exported, serve, url, file)
    setting = Setting("x", int, ["user"], 1)
    client = AsyncHeksherClient(None, 1, FEATURES, snapshot=file)
    client.track_contexts(**TRACKED)
    async with client:
        assert setting.get(user="john") == 7


def test_neither_service_nor_snapshot(tmp_path: Path, log: Log) -> None:
    """Without a service, a snapshot that cannot be used is an error, or one record if the start is best-effort."""
    setting = Setting("x", int, ["user"], 1)
    with pytest.raises(ValueError, match="a client without a service needs a snapshot"):
        ThreadHeksherClient(None, 1, FEATURES)
    required = ThreadHeksherClient(None, 1, FEATURES, snapshot=tmp_path / "none", startup="require")
    required.track_contexts(**TRACKED)
    with pytest.raises(SnapshotError, match=f"no usable snapshot at {tmp_path / 'none'}"):
        required.set_as_main()
    client = ThreadHeksherClient(None, 0.01, FEATURES, snapshot=tmp_path / "none")
    client.track_contexts(**TRACKED)
    with client:
        assert setting.get(user="john") == 1
        client.reload()
        assert (client.status.state, client.status.source) == ("failed", "defaults")
    assert log.one("error during heksher update")["levelname"] == "ERROR"
