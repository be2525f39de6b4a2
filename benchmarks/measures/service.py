"""A real service in another process, with many rules in its database."""

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, create_engine, insert, update

from benchmarks.data import DEFAULT, FEATURES, Rules
from heksherlite.service.storage import tables
from heksherlite.service.storage.sqlite import SqliteDatabase

_SECONDS = 120.0
"""How long a service may take to start, or to notice new rules."""


class Service:
    """A service that runs.

    Args:
        url: Where it is.
        database: Its file.
        settings: Its settings with their rules.
    """

    def __init__(self, url: str, database: Path, settings: Mapping[str, Rules]) -> None:
        self.url = url
        self._database = database
        self._last_rule = sum(map(len, settings.values()))
        self._last_value = list(list(settings.values())[-1].values())[-1]

    def change_all_rules(self) -> None:
        """Raise the values of all rules by one, and return when the service knows."""
        with _connected(self._database) as connection:
            revision = tables.state.c.revision
            connection.execute(update(tables.state).values(revision=revision + 1))
            newest = connection.execute(tables.state.select()).one().revision
            rules = tables.rules
            connection.execute(update(tables.settings).values(revision=newest))
            raised = rules.c.value.cast(rules.c.id.type) + 1
            connection.execute(update(rules).values(revision=newest, value=raised.cast(rules.c.value.type)))
        self._last_value += 1
        deadline = time.monotonic() + _SECONDS
        while self._value_of(self._last_rule) != self._last_value:
            if time.monotonic() > deadline:
                raise TimeoutError("the service does not notice that its rules changed")
            time.sleep(0.05)

    def change_one_rule(self, value: int) -> None:
        """Give the last rule another value."""
        response = httpx.put(
            f"{self.url}/api/v1/rules/{self._last_rule}/value", json={"value": value}, timeout=_SECONDS
        )
        response.raise_for_status()
        self._last_value = value

    def _value_of(self, rule_id: int) -> Any:
        response = httpx.get(f"{self.url}/api/v1/rules/{rule_id}", timeout=_SECONDS)
        return response.raise_for_status().json()["value"]


@contextmanager
def running(settings: Mapping[str, Rules], *options: str) -> Iterator[Service]:
    """Run a service that has these settings, as a program would have declared them, with more options."""
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        database = Path(folder, "settings.db")
        _fill(database, settings)
        command = ["-m", "heksherlite", "serve", "--port", "0", "--database", f"sqlite:///{database}", *options]
        with subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield Service(_address(process), database, settings)
            finally:
                process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    announced = process.stdout.readline()
    found = re.search(r"http://\S+", announced)
    if found is None:
        raise RuntimeError(f"the service did not start: {announced!r}")
    return found[0]


def _fill(database: Path, settings: Mapping[str, Rules]) -> None:
    async def prepare() -> None:
        empty = SqliteDatabase(database)
        await empty.prepare()
        await empty.close()

    asyncio.run(prepare())
    rule_id = 0
    with _connected(database) as connection:
        features = [{"name": name, "position": position} for position, name in enumerate(FEATURES)]
        connection.execute(insert(tables.context_features), features)
        nonce = connection.execute(tables.state.select()).one().revision_nonce
        for setting_id, (name, rules) in enumerate(settings.items(), start=1):
            _insert_setting(connection, setting_id, name, rules, nonce=nonce, first_rule=rule_id + 1)
            rule_id += len(rules)
        counters = {
            "revision": 1,
            "features_revision": 1,
            "last_setting_id": len(settings),
            "last_rule_id": rule_id,
        }
        connection.execute(update(tables.state).values(counters))


def _insert_setting(
    connection: Connection, setting_id: int, name: str, rules: Rules, *, nonce: str, first_rule: int
) -> None:
    """Insert one setting and its rules, all at once: one by one over HTTP they would take minutes."""
    setting = {
        "id": setting_id,
        "name": name,
        "type": "int",
        "default_value": str(DEFAULT),
        "version": "1.0",
        "metadata": "{}",
        "revision": 1,
        "nonce": nonce,
    }
    connection.execute(insert(tables.settings), setting)
    connection.execute(
        insert(tables.configurable_features),
        [{"setting_id": setting_id, "context_feature": feature} for feature in FEATURES],
    )
    numbered = list(enumerate(rules.items(), start=first_rule))
    same = {"setting_id": setting_id, "metadata": "{}", "revision": 1}
    connection.execute(
        insert(tables.rules), [{"id": rule_id, "value": str(value), **same} for rule_id, (_, value) in numbered]
    )
    connection.execute(
        insert(tables.conditions),
        [
            {"rule_id": rule_id, "context_feature": feature, "value": value}
            for rule_id, (conditions, _) in numbered
            for feature, value in conditions
        ],
    )


@contextmanager
def _connected(database: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
