"""What takes long does not keep others from writing for long: imports, reversions, and reading what others wrote."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.api import imports
from heksherlite.service.domain import context_features, rules
from heksherlite.service.domain.limits import Limits
from heksherlite.service.errors import DatabaseBusyError
from heksherlite.service.storage import postgresql, sqlite, store, writing
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from tests.service.api import FEATURES, Api
from tests.service.stores import Write, opened, prepare
from tests.service.test_http_import import content, put
from tests.service.test_importing import LINES, write
from tests.service.test_store import declaration

ADD_FEATURE: Write = partial(context_features.add, name="f")


def adding(user: str) -> Any:
    return partial(rules.add, setting_name="a", feature_values={"f": user}, value=1, metadata={})


def test_an_import_that_takes_long_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service refuses it with what to do, and stores nothing. With block_writes, it takes as long as it needs."""
    monkeypatch.setattr(imports, "SECONDS_OTHERS_WAIT", 0.0)
    before = api.state(), api.revision()
    refused = put(api, content())
    assert refused.status_code == 409
    assert refused.text == (
        "this takes longer than 0 s, and nobody else could write meanwhile; an import with block_writes may do that. "
        "Nothing was changed"
    )
    assert (api.state(), api.revision()) == before
    assert put(api, content(), block_writes="true").status_code == 200
    assert list(api.query()) == ["x"]


def test_a_command_gives_up_while_services_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to import all the same. Without a service, nobody waits, and there is no limit."""
    monkeypatch.setattr("heksherlite.cli.import_work.SECONDS_OTHERS_WAIT", 0.0)
    file, database = write(tmp_path / "export.jsonl", LINES), tmp_path / "a.db"
    words = ["import", str(file), "--replace", "--database", str(database)]
    with embedded(database, context_features=FEATURES) as service:
        refused = CliRunner().invoke(heksherlite, words)
        assert "Stop them first, or let them wait with --block-writes. nothing was changed" in refused.output
        api = Api(service.url)
        with api.http:
            assert api.query() == {}
        assert CliRunner().invoke(heksherlite, [*words, "--block-writes"]).exit_code == 0
    assert CliRunner().invoke(heksherlite, words).exit_code == 0


def test_other_users_of_a_database_are_noticed(database: str) -> None:
    """Nobody, as long as no other process has it open."""

    async def has_other_users() -> bool:
        opened = open_database(database)
        try:
            return await opened.has_other_users()
        finally:
            await opened.close()

    prepare(database)
    assert not asyncio.run(has_other_users())
    if database.startswith("postgresql"):
        with psycopg.connect(database, application_name="heksherlite 0.1.0 1@elsewhere"):
            assert asyncio.run(has_other_users())
    else:
        with embedded(database, context_features=FEATURES):
            assert asyncio.run(has_other_users())
    assert not asyncio.run(has_other_users())


def test_a_write_waits_for_another_process_for_a_while(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is refused. The database does not count as away for that."""
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr(postgresql, "_SESSION", postgresql._SESSION.replace("'8s'", "'50ms'"))

    async def run() -> None:
        async with opened(database) as here:
            other = open_database(database)
            async with other.writing():
                with pytest.raises(DatabaseBusyError):
                    await here.write(ADD_FEATURE)
            await other.close()
            assert here.available
            await here.write(ADD_FEATURE)

    asyncio.run(run())


def test_a_write_waits_for_another_of_this_process_for_a_while(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is refused. Later it can be made."""
    monkeypatch.setattr(writing, "_LONGEST_WAIT", 0.01)

    async def run() -> None:
        async with opened(database) as here:
            async with here._writer.lock:
                with pytest.raises(DatabaseBusyError, match=r"another write takes longer than 0\.01 s"):
                    await here.write(ADD_FEATURE)
            assert here.available
            await here.write(ADD_FEATURE)

    asyncio.run(run())


def test_a_service_says_that_another_write_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response is 503, and nothing is changed. Reads go on."""
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT", 0.05)
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http, closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            response = api.http.post("/api/v1/context_features", json={"context_feature": "new"})
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
            assert response.text.startswith("another write takes long, ")
            assert api.query() == {}
            assert api.http.get("/api/ready").is_success
            other.execute("ROLLBACK")
            assert api.http.post("/api/v1/context_features", json={"context_feature": "new"}).is_success


def test_much_that_others_wrote_is_read_before_a_write(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read while the write keeps others from writing. A little is."""
    monkeypatch.setattr(store, "_MOST_RULES_BEHIND", 2)
    loads: list[Store] = []
    load = Store.load

    async def counted(self: Store) -> None:
        loads.append(self)
        await load(self)

    async def run() -> None:
        url = new_database()
        async with opened(url) as one, opened(url) as other:
            await one.write(ADD_FEATURE)
            await one.write(declaration("a", {"f"}, 0))
            await other.load()
            monkeypatch.setattr(Store, "load", counted)
            for number in range(2):
                await one.write(adding(str(number)))
            await other.write(adding("few"))
            assert not loads
            await one.load()
            loads.clear()
            for number in range(2, 5):
                await one.write(adding(str(number)))
            await other.write(adding("many"))
            assert loads == [other]
            assert len(other.catalog.rules) == 7

    asyncio.run(run())


def test_a_large_change_is_not_reverted(database: str) -> None:
    """The refusal says how to restore the state before it, and that works."""
    with embedded(database, context_features=FEATURES, limits=Limits(max_operations=3)) as service:
        api = Api(service.url)
        with api.http:
            api.declare("colors")
            for user in "abc":
                api.add_rule(1, "colors", user=user)
            before = api.state()
            api.call("DELETE", "settings/colors")
            revision = api.revision()
            refused = api.call("POST", f"history/{revision}/revert")
            assert refused.status_code == 409
            (conflict,) = refused.json()["conflicts"]
            assert conflict == (
                f"revision {revision} changed 4 settings and rules, and others would wait while more than 3 are "
                "reverted (--max-operations). To restore the state before, save "
                f"GET /api/v1/export?at={revision - 1}, and import it with replace"
            )
            export = api.http.get("/api/v1/export", params={"at": revision - 1}).content
            assert put(api, export, replace="true").status_code == 200
            assert json.dumps(api.state()) == json.dumps(before)
