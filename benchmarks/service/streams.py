"""Very many streams on two workers: what they take, and how long reads and health checks take meanwhile."""

import re
import resource
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import FEATURES, Running, service
from benchmarks.service.sizes import Sizes

_READS = 200
_REQUEST = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


def streams(sizes: Sizes) -> list[Row]:
    """Open all streams, measure, and change a value that all of them are told of."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder,
        service(f"sqlite:///{folder}/settings.db", "--workers", "2") as started,
    ):
        rule_id = _prepare(started.url)
        workers = _workers(started)
        alone = _reads(started.url)
        memory = [each.memory("VmRSS") for each in workers]
        files = [_open_files(each) for each in workers]
        began = time.perf_counter()
        with _opened(started.url, sizes.streams) as connections:
            opening = time.perf_counter() - began
            grown = sum(each.memory("VmRSS") for each in workers) - sum(memory)
            shares = [_open_files(each) - before for each, before in zip(workers, files, strict=True)]
            beside = _reads(started.url)
            told = _tell(started.url, rule_id, connections)
            what = f"{sizes.streams:,} streams"
            spread = " and ".join(map(str, shares))
            return [
                Row("streams", f"opening {what}", "s", [opening], note=f"{spread} on the workers"),
                Row(
                    "streams",
                    f"memory of a stream, {what}",
                    "kB",
                    [grown * 1e3 / sizes.streams],
                    target=40,
                    against="value",
                ),
                Row(
                    "streams",
                    f"reads beside {what}",
                    "s",
                    beside,
                    floor=alone,
                    note=f"worst {max(beside) * 1e3:.0f} ms",
                ),
                Row("streams", f"an event until half of {what} have it", "s", [told[len(told) // 2]]),
                Row("streams", f"an event until all of {what} have it", "s", [told[-1]]),
            ]


def _prepare(url: str) -> int:
    with httpx.Client(base_url=f"{url}/api/v1") as api:
        declaration = {"name": "setting", "type": "int", "default_value": 0, "configurable_features": FEATURES}
        api.post("/settings/declare", json=declaration).raise_for_status()
        rule = {"setting": "setting", "feature_values": {"user": "u"}, "value": 0}
        return int(api.post("/rules", json=rule).raise_for_status().json()["rule_id"])


def _workers(started: Running) -> list[Running]:
    threads = Path(f"/proc/{started.pid}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text(encoding="ascii").split()]
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [Running(started.url, int(child), 0) for child, line in commands.items() if b"spawn_main" in line]


def _open_files(process: Running) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def _reads(url: str) -> list[float]:
    """Return the time of each of many reads, each on a connection of its own, so that every worker has some."""
    took = []
    for _ in range(_READS):
        began = time.perf_counter()
        httpx.get(f"{url}/api/v1/query").raise_for_status()
        took.append(time.perf_counter() - began)
    return took


@contextmanager
def _opened(url: str, count: int) -> Iterator[list[socket.socket]]:
    address = httpx.URL(url)
    with ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((address.host, address.port), timeout=60))
            connection.sendall(_REQUEST)
            connections.append(connection)
        for connection in connections:
            received = b""
            while b"event: ready" not in received:
                received += connection.recv(4096)
            if re.match(rb"HTTP/1.1 200", received) is None:
                raise RuntimeError(f"a stream was refused: {received[:100]!r}")
        yield connections


def _tell(url: str, rule_id: int, connections: list[socket.socket]) -> list[float]:
    """Change the value, and return the times after which the streams had the event, the earliest first."""
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        began = time.perf_counter()
        httpx.put(f"{url}/api/v1/rules/{rule_id}/value", json={"value": 1}, timeout=60).raise_for_status()
        while len(took) < len(connections):
            for key, _ in selector.select(60):
                assert isinstance(key.fileobj, socket.socket)
                if b"event: change" in key.fileobj.recv(4096):
                    took.append(time.perf_counter() - began)
                    selector.unregister(key.fileobj)
    return took
