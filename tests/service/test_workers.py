"""``serve --workers``: several processes on one address."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest

from tests.service.api import FEATURES, Api
from tests.service.test_processes import SERVE, environment, process
from tests.waiting import until

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs to see processes"),
]

WORKERS = ("--workers", "2", "--context-features", ";".join(FEATURES))


def workers_of(running: "subprocess.Popen[str]") -> set[int]:
    """Return the ids of the processes that serve requests."""
    threads = Path(f"/proc/{running.pid}/task").glob("*/children")
    children = [int(child) for thread in threads for child in thread.read_text(encoding="ascii").split()]
    return {child for child in children if not has_ended(child) and is_worker(child)}


def is_worker(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def has_ended(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_all_of_them(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends every process with status 0, with connections open."""
    with process("--database", f"sqlite:///{tmp_path}/a.db", *WORKERS) as (running, api):
        api.http.get("/api/health")
        workers = workers_of(running)
        assert len(workers) == 2
        running.send_signal(number)
        assert running.wait(30) == 0
        assert all(map(has_ended, workers))
        with pytest.raises(httpx.TransportError):
            httpx.get(api.url)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """If the parent process is killed, its workers end and the address is free."""
    with process("--database", f"sqlite:///{tmp_path}/a.db", *WORKERS) as (running, api):
        workers = workers_of(running)
        running.kill()
        running.wait(60)
        until(lambda: all(map(has_ended, workers)))
        with pytest.raises(httpx.ConnectError):
            httpx.get(api.url)


def test_a_worker_that_cannot_start_logs_a_sentence(tmp_path: Path) -> None:
    """While the database is unusable, each attempt to replace a worker logs one line without a traceback."""
    path = tmp_path / "a.db"
    with process("--database", f"sqlite:///{path}", *WORKERS) as (running, _):
        for file in tmp_path.glob("a.db*"):
            file.rename(tmp_path / f"moved-{file.name}")
        path.write_bytes(b"not a database" * 1000)
        os.kill(workers_of(running).pop(), signal.SIGKILL)
        assert running.stderr is not None
        logged, reason = [], ""
        for reason in iter(running.stderr.readline, ""):  # the other worker logs, too
            logged.append(reason)
            if "a worker process cannot start" in reason:
                break
        assert "cannot use database" in reason
        assert "file is not a database" in reason
        assert all(line.startswith("20") for line in logged), "each line is a record with a date"


def test_a_killed_worker_is_replaced_and_loses_nothing(database: str) -> None:
    """After SIGKILL of a worker, every acknowledged write is stored once, and all workers agree."""
    acknowledged: list[int] = []
    failed: list[int] = []

    def write(api: Api, writer: int) -> None:
        with closing(Api(api.url)) as own:
            for value in range(writer * 100, writer * 100 + 50):
                try:
                    own.add_rule(value, user=f"u{value}")
                    acknowledged.append(value)
                except httpx.TransportError:
                    failed.append(value)

    def values(url: str) -> list[int]:
        with closing(Api(url)) as own:  # a connection of its own, which any worker may accept
            return sorted(rule["value"] for rule in own.query()["cache_ttl"]["rules"])

    with process("--database", database, *WORKERS) as (running, api), ThreadPoolExecutor(6) as pool:
        api.declare()
        before = workers_of(running)
        writes = [pool.submit(write, api, writer) for writer in range(6)]
        until(lambda: len(acknowledged) > 40)
        os.kill(min(before), signal.SIGKILL)
        for submitted in writes:
            submitted.result()
        until(lambda: len(workers_of(running)) == 2)
        assert len(workers_of(running) & before) == 1
        until(lambda: all(set(acknowledged) <= set(values(api.url)) for _ in range(20)))
        stored = values(api.url)
        assert len(set(stored)) == len(stored)
        assert set(stored) <= set(acknowledged) | set(failed)


def test_unusable_databases_are_told_in_a_line(tmp_path: Path) -> None:
    """An error at the start is reported once, and not by each worker."""
    result = subprocess.run(
        [*SERVE, "--port", "0", "--workers", "2", "--database", f"sqlite:///{tmp_path}/no/where.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "cannot use database" in result.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel does not spread connections elsewhere")
def test_streams_are_spread_evenly(tmp_path: Path) -> None:
    """Each of two workers gets about half of the streams, although one of them is always quicker to accept."""
    with process("--database", f"sqlite:///{tmp_path}/a.db", *WORKERS) as (running, api), ExitStack() as streams:
        workers = workers_of(running)
        before = {pid: open_files(pid) for pid in workers}
        address = httpx.URL(api.url)
        for _ in range(200):
            stream = streams.enter_context(socket.create_connection((address.host, address.port), timeout=30))
            stream.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(12) == b"HTTP/1.1 200"
        shares = [open_files(pid) - before[pid] for pid in workers]
        assert sum(shares) >= 200
        assert min(shares) > 60  # 1 of 10**8 runs has fewer


def test_a_port_that_is_in_use_is_refused(tmp_path: Path) -> None:
    """That the workers share a port does not let a second service have it too."""
    database = ("--database", f"sqlite:///{tmp_path}/a.db")
    with process(*database, *WORKERS) as (_, api):
        port = str(httpx.URL(api.url).port)
        second = subprocess.run(
            [*SERVE, "--port", port, *database, *WORKERS],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert f"cannot listen on 127.0.0.1, port {port}" in second.stderr


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
