"""Removing settings with many rules: the rules are moved into the history afterwards, in portions."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heksherlite.service.domain import context_features, reverting, rules
from heksherlite.service.domain import settings as setting_writes
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.history import Record
from heksherlite.service.errors import ConflictError, NotFoundError, RequestError
from heksherlite.service.following import move_removed_rules
from heksherlite.service.storage import history, removed_settings, rule_removal
from heksherlite.service.storage.history_search import Search
from heksherlite.service.storage.store import Store
from heksherlite.service.transfer.importing import ImportPolicy, import_export, writing_to
from heksherlite.service.transfer.lines import ExportReader, lines_of
from tests.service.stores import Write, opened, prepare, run_sql, without_logs
from tests.service.test_store import WRITES, declaration

RULES = 5


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removed_settings, "_MOST_RULES", 1)
    monkeypatch.setattr(rule_removal, "_PORTION", 2)


def adding(user: str, feature: str = "user") -> Write:
    return partial(rules.add, setting_name="large", feature_values={feature: user}, value=1, metadata={})


async def fill(store: Store) -> None:
    """Store a setting with more rules than a write deletes."""
    for feature in ("user", "theme"):
        await store.write(partial(context_features.add, name=feature))
    await store.write(declaration("large", {"user", "theme"}, 0))
    for number in range(RULES):
        await store.write(adding(f"u{number}", "theme" if number == 0 else "user"))


REMOVE: Write = partial(setting_writes.remove, name="large")


def sorted_changes(record: Record) -> list[Any]:
    return sorted((change.rule_id or 0, change.setting_name, change.before, change.after) for change in record.changes)


def counted(url: str) -> list[int]:
    tables = ("rules", "conditions", "settings", "removed_settings")
    return [run_sql(url, f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608


def test_its_rules_go_in_portions(database: str) -> None:
    """At once nobody sees the setting and its name is free; its rules are moved later; the history shows the same."""

    async def run() -> None:
        async with opened(database) as store:
            await fill(store)
            before = store.catalog
            await store.write(REMOVE)
            assert not store.catalog.rules
            removal = await store.history.record(store.catalog.counters.revision)
            (in_list,) = (await store.history.search(Search(limit=1), changes_per_record=10)).records
            assert (removal.change_count, in_list.change_count, len(removal.changes)) == (
                RULES + 1,
                RULES + 1,
                RULES + 1,
            )
            past = await store.at(before.counters.revision)
            assert past.rules == before.rules
            store._past_catalogs._latest = None
            async with opened(database) as replica:
                assert without_logs(replica.catalog) == without_logs(store.catalog)
            await store.write(declaration("large", {"user"}, 0))
            await store.write(adding("new"))
            portions = 0
            while await store.rule_removal.move_portion():
                portions += 1
                assert sorted_changes(await store.history.record(removal.revision)) == sorted_changes(removal)
                assert (await store.at(before.counters.revision)).rules == before.rules
                store._past_catalogs._latest = None
                async with opened(database) as replica:
                    assert without_logs(replica.catalog) == without_logs(store.catalog)
            assert portions == 3

    asyncio.run(run())
    assert counted(database) == [1, 1, 1, 0]


def test_what_a_killed_service_left_is_moved_by_another(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that ends in the middle of the removal leaves the rest to those that run, and nothing twice."""
    monkeypatch.setattr("heksherlite.service.following._PROGRESS_SECONDS", 0.01)

    async def run() -> None:
        async with opened(database) as store:
            await fill(store)
            await store.write(REMOVE)
            await store.rule_removal.move_portion()
        async with opened(database) as other:
            stopping = asyncio.Event()
            moving = asyncio.create_task(move_removed_rules(other, until=stopping))
            while await other.rule_removal.progress() is not None:  # noqa: ASYNC110 - what ends it is in the database
                await asyncio.sleep(0.01)
            stopping.set()
            await moving
            record = await other.history.record(other.catalog.counters.revision)
            assert [change.rule_id for change in record.changes] == [None, 1, 2, 3, 4, 5]

    asyncio.run(run())
    assert counted(database) == [0, 0, 0, 0]


def test_what_needs_the_rest_waits(database: str) -> None:
    """Undoing the removal, and removing a context feature of the rules, is refused until the rules are moved."""

    async def run() -> None:
        async with opened(database) as store:
            await fill(store)
            await store.write(REMOVE)
            record = await store.history.record(store.catalog.counters.revision)
            undo = partial(reverting.revert, record=record, now=store.now())
            forget: Write = partial(context_features.remove, name="theme")
            for refused in (undo, forget):
                with pytest.raises(ConflictError, match="rules of the removed setting 'large' are still being moved"):
                    await store.write(refused)
            assert store.available
            while await store.rule_removal.move_portion():
                pass
            await store.write(undo)
            assert len(store.catalog.rules) == RULES
            await store.write(REMOVE)
            while await store.rule_removal.move_portion():
                pass
            await store.write(forget)
            assert store.catalog.context_features == ("user",)

    asyncio.run(run())


def test_an_import_over_the_rest(database: str) -> None:
    """An import of rules with the ids of those that are still to be moved moves them first."""

    async def run() -> None:
        async with opened(database) as store:
            await fill(store)
            exported = [line for portion in [list(lines_of(store.catalog))] for line in portion]
            await store.write(REMOVE)
            policy = ImportPolicy(replace=True)
            write = writing_to(store._database)
            await import_export(write, ExportReader(iter(exported)), BY_SERVICE, policy, now=store.now())
            await store.load()
            assert len(store.catalog.rules) == RULES

    asyncio.run(run())


def test_a_large_record_is_pruned_in_portions(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a record that is being deleted is not taken for the whole of it."""
    monkeypatch.setattr(history, "_ROWS_AT_ONCE", 2)

    async def run() -> None:
        async with opened(database) as store:
            await fill(store)
            await store.write(REMOVE)
            removed_at = store.catalog.counters.revision
            while await store.rule_removal.move_portion():
                pass
            await store.write(partial(context_features.add, name="later"))
            await store._writer.write(partial(history._delete_changes_before, removed_at + 1))
            with pytest.raises(NotFoundError):
                await store.history.record(1)
            while await store._writer.write(partial(history._delete_changes_before, removed_at + 1)):
                pass
            with pytest.raises(NotFoundError, match="not known any more"):
                await store.at(removed_at - 1)
            assert (await store.at(removed_at)).context_features == ("user", "theme")
            await store.history.prune(store.now())
            assert (await store.at(removed_at + 1)).context_features == ("user", "theme", "later")

    asyncio.run(run())


@given(st.lists(WRITES | st.none(), min_size=4, max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.thorough
def test_every_state_can_be_looked_back_to(
    tmp_path_factory: pytest.TempPathFactory, writes: list[Write | None]
) -> None:
    """Whatever is written between portions, each revision is known as it was, and a new replica knows the same."""
    url = f"sqlite:///{tmp_path_factory.mktemp('a')}/a.db"

    async def run() -> None:
        async with opened(url) as store:
            await fill(store)
            states = {store.catalog.counters.revision: store.catalog}
            for write in [*writes, partial(setting_writes.remove, name="large"), None]:
                if write is None:
                    await store.rule_removal.move_portion()
                else:
                    try:
                        await store.write(write)
                    except RequestError:
                        continue
                states[store.catalog.counters.revision] = store.catalog
                for revision, then in states.items():
                    now = await store.at(revision)
                    assert (dict(now.rules), now.ids_by_name) == (dict(then.rules), then.ids_by_name)
            async with opened(url) as replica:
                assert without_logs(replica.catalog) == without_logs(store.catalog)

    asyncio.run(run())


def test_a_portion_is_found_without_looking_at_all_rules(tmp_path: Path) -> None:
    """The next rules of a setting are read in their order, so a portion costs the same for any number of rules."""
    url = f"sqlite:///{tmp_path}/a.db"
    prepare(url)
    query = "SELECT * FROM rules WHERE setting_id = 1 AND id > 0 ORDER BY id LIMIT 1000"
    plan = [row[3] for row in run_sql(url, f"EXPLAIN QUERY PLAN {query}")]
    assert plan == ["SEARCH rules USING INDEX ix_rules_setting_id_id (setting_id=? AND id>?)"]
