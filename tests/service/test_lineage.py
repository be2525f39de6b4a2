"""Revisions of backups, restores, failovers and lagging replicas are never confused."""

import asyncio
import json
import sqlite3
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from heksherlite.service.app import create_app
from heksherlite.service.domain import context_features, declarations, rules
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.lineage import MOST_REVISIONS, NONCE_BYTES, Lineage, RevisionId
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import RequestError
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from heksherlite.values.wire_types import INT

NAMES = ["a", "b"]
USERS = st.sampled_from(["u", "v", "w"])
REPLICAS = st.sampled_from([0, 1])


def revision(number: int, nonce: int = 1) -> RevisionId:
    return RevisionId(number, f"{nonce:012x}")


def test_a_line_knows_its_own_revisions() -> None:
    """A revision with another nonce or a higher number is excluded. Nothing is known of older ones."""
    line = Lineage().after([revision(5), revision(6), revision(7)])
    assert revision(6) in line
    assert revision(6, 2) not in line
    assert line.revision(7) == revision(7)
    assert line.revision(4) is line.revision(8) is None
    unknown = (revision(6, 2), revision(8), revision(4))
    assert [line.excludes(each) for each in (revision(6), *unknown)] == [False, True, True, False]


@given(st.lists(st.integers(1, 3), max_size=6))
def test_a_gap_ends_the_known_revisions(steps: list[int]) -> None:
    """Revisions before a gap are not known to be on the same branch."""
    numbers = [sum(steps[: index + 1]) for index in range(len(steps))]
    line = Lineage().after(revision(number) for number in numbers)
    unbroken = [number for number in numbers if all(each in numbers for each in range(number, numbers[-1] + 1))]
    assert [number for number in numbers if revision(number) in line] == unbroken


def test_a_line_has_a_limit() -> None:
    """The number of remembered revisions is limited."""
    line = Lineage().after(revision(number) for number in range(MOST_REVISIONS + 10))
    assert len(line.nonces) == MOST_REVISIONS * NONCE_BYTES
    assert (line.first, revision(9) in line, revision(10) in line) == (10, False, True)


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-0123456789ab", "1-0123456789AB", "1-0123456789ab\n", "²-0123456789ab"]
)
def test_malformed_names_of_revisions(text: str) -> None:
    """Malformed names are not accepted as revisions."""
    assert RevisionId.parse(text) is None
    assert RevisionId.parse(str(revision(12, 255))) == revision(12, 255)


class Reader:
    """A client that keeps what it received, and requests changes only."""

    def __init__(self) -> None:
        self.tag = ""
        self.settings: dict[str, dict[int, Any]] = {}

    async def ask(self, http: httpx.AsyncClient) -> None:
        headers = {"accept": "application/x-ndjson", "a-im": "heksherlite", "if-none-match": self.tag}
        params = {"settings": ",".join(NAMES)}
        response = await http.get("/api/v1/query", params=params, headers=headers)
        attempts = iter(range(20))
        while response.status_code == 503 and next(attempts, None) is not None:
            # A busy machine does not read the database in time.
            response = await http.get("/api/v1/query", params=params, headers=headers)
        assert response.status_code in {200, 226, 304}, response.text
        self.tag = response.headers["etag"]
        if response.status_code == 200:
            self.settings = {}
        if response.status_code != 304:
            self._read([json.loads(line) for line in response.content.splitlines()])

    def _read(self, lines: list[dict[str, Any]]) -> None:
        known: dict[int, Any] = {}
        for line in lines:
            if "setting" in line:
                known = self.settings.setdefault(line["setting"], {})
                if line["whole"]:
                    known.clear()
                for rule_id in line.get("removed", ()):
                    known.pop(rule_id, None)
            elif "rule_ids" in line:
                conditions = zip(*line["context_values"], strict=True)
                rows = zip(line["rule_ids"], conditions, line["values"], strict=True)
                known.update({rule_id: (tuple(wanted), value) for rule_id, wanted, value in rows})


class Branches(RuleBasedStateMachine):
    """Two replicas and their readers, with a database that is backed up, restored and written."""

    @initialize()
    def prepare(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "a.db"
        self.stores = [Store(SqliteDatabase(self.path)) for _ in range(2)]
        self.runner.run(self._start())
        self.clients = [
            httpx.AsyncClient(base_url="http://service", transport=httpx.ASGITransport(create_app(store)))
            for store in self.stores
        ]
        self.readers = [Reader(), Reader()]
        self.value = 0
        self.backups = 0
        self.back_up()

    async def _start(self) -> None:
        for store in self.stores:
            await store._database.prepare()
            await store.load()
        await self.stores[0].write(partial(context_features.expect, expected=["user"]))
        for name in NAMES:
            shape = Shape(name, frozenset({"user"}), INT, 0, {})
            declaration = declarations.Declaration(shape, Version(1, 0))
            await self.stores[0].write(partial(declarations.declare, declaration=declaration))

    @rule()
    def back_up(self) -> None:
        copy(self.path, Path(self.folder.name) / f"{self.backups}.backup")
        self.backups += 1

    @rule(backup=st.integers(0, 3))
    def put_back(self, backup: int) -> None:
        copy(Path(self.folder.name) / f"{backup % self.backups}.backup", self.path)

    @rule(replica=REPLICAS, name=st.sampled_from(NAMES), user=USERS)
    def write(self, replica: int, name: str, user: str) -> None:
        self.value += 1
        feature_values = {"user": user}
        add = partial(rules.add, setting_name=name, feature_values=feature_values, value=self.value, metadata={})
        store = self.stores[replica]
        try:
            self.runner.run(store.write(add))
        except RequestError:
            self.runner.run(store.load())
            rule_id = rules.search(store.catalog, name, feature_values)
            self.runner.run(store.write(partial(rules.change_value, rule_id=rule_id, value=self.value)))

    @rule(replica=REPLICAS, name=st.sampled_from(NAMES), user=USERS)
    def remove(self, replica: int, name: str, user: str) -> None:
        store = self.stores[replica]
        self.runner.run(store.load())
        try:
            rule_id = rules.search(store.catalog, name, {"user": user})
        except RequestError:
            return
        self.runner.run(store.write(partial(rules.remove, rule_id=rule_id)))

    @rule(replica=REPLICAS, reader=st.sampled_from([0, 1]))
    def ask_a_replica_that_may_lag(self, replica: int, reader: int) -> None:
        """After any response, a reader has one state and not a mixture of two."""
        asking = self.readers[reader]
        self.runner.run(asking.ask(self.clients[replica]))
        assert asking.settings == rules_of(self.stores[replica])

    @rule(replica=REPLICAS, reader=st.sampled_from([0, 1]))
    def ask_a_replica_that_follows(self, replica: int, reader: int) -> None:
        """A reader of an up-to-date replica has the stored state."""
        asking = self.readers[reader]
        self.runner.run(self.stores[replica].load())
        self.runner.run(asking.ask(self.clients[replica]))
        assert asking.settings == self.runner.run(self._stored())

    @rule(replica=REPLICAS, back=st.integers(0, 4))
    def look_back(self, replica: int, back: int) -> None:
        """Past states of the newest revisions are those of the history of the database."""
        store = self.stores[replica]
        self.runner.run(store.load())
        number = max(0, store.catalog.counters.revision - back)
        past = self.runner.run(store.at(number))
        assert past.counters.revision == number
        if back == 0:
            assert rules_of_catalog(past) == self.runner.run(self._stored())

    async def _stored(self) -> dict[str, dict[int, Any]]:
        store = Store(SqliteDatabase(self.path))
        await store.load()
        stored = rules_of(store)
        await store.close()
        return stored

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for client in self.clients:
                self.runner.run(client.aclose())
            for store in self.stores:
                self.runner.run(store.close())
            self.runner.close()
            self.folder.cleanup()


def copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def rules_of(store: Store) -> dict[str, dict[int, Any]]:
    return rules_of_catalog(store.catalog)


def rules_of_catalog(catalog: Any) -> dict[str, dict[int, Any]]:
    return {
        entry.setting.name: {
            each.id: (tuple(value for _, value in each.conditions), each.value) for each in entry.rules.values()
        }
        for entry in catalog.entries.values()
    }


def test_a_replica_lists_the_removal_of_a_rule_that_it_never_saw() -> None:
    """A reader may have a rule from one replica that was added and removed between two reads of another replica."""
    branches = Branches()
    branches.prepare()
    try:
        branches.ask_a_replica_that_follows(replica=1, reader=0)
        branches.write(replica=0, name="b", user="u")
        branches.ask_a_replica_that_may_lag(replica=0, reader=0)
        assert branches.readers[0].settings["b"] == {1: (("u",), 1)}
        branches.remove(replica=0, name="b", user="u")
        branches.write(replica=0, name="a", user="u")
        branches.ask_a_replica_that_may_lag(replica=1, reader=0)
        assert branches.readers[0].settings == {"a": {2: (("u",), 2)}, "b": {}}
    finally:
        branches.teardown()


@pytest.mark.property
def test_no_reader_confuses_states() -> None:
    """After any backups, restores and writes, no reader has a state that is not stored, or a mixture."""
    run_state_machine_as_test(
        Branches,
        settings=settings(max_examples=settings().max_examples // 4, stateful_step_count=25, deadline=None),
    )
