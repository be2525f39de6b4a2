"""Behaviour that only PostgreSQL has: its failures, notifications and time limits."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha512
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heksherlite.errors import ServiceStartError
from heksherlite.service import embedded
from heksherlite.service.domain import context_features
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.options import AccessOptions
from heksherlite.service.storage.postgresql import PostgresqlDatabase
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from tests.service import postgresql, stores
from tests.service.api import FEATURES, Api
from tests.service.postgresql import PostgresqlServer
from tests.service.stores import following, opened, prepare
from tests.waiting import until, until_async


@pytest.fixture
def url(postgresql_server: PostgresqlServer) -> str:
    """Return the URL of an empty database."""
    return postgresql_server.new_database()


@pytest.fixture
def own_server() -> Iterator[PostgresqlServer]:
    """Return a server that the test may kill."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs to see processes")
    with postgresql.running() as server:
        yield server


def add(name: str) -> stores.Write:
    return partial(context_features.add, name=name)


def test_the_longest_names_fit_into_its_indexes(url: str) -> None:
    """A name of 1,000 characters is accepted, however little it can be compressed. A longer one is 422."""
    longest = "".join(sha512(bytes([number])).hexdigest() for number in range(8))[:1_000]
    with embedded(url, context_features=FEATURES) as service, closing(Api(service.url)) as api:
        assert api.call("POST", "context_features", {"context_feature": longest}).status_code == 204
        assert api.declare(longest, configurable_features=[longest]).status_code == 200
        assert api.declare("a", alias=longest, version="1.1", configurable_features=[longest]).status_code == 200
        assert api.setting(longest)["aliases"] == [longest]
        assert api.call("POST", "context_features", {"context_feature": f"{longest}x"}).status_code == 422
        assert api.declare(f"{longest}x").status_code == 422


@pytest.mark.thorough
def test_a_killed_server_loses_no_acknowledged_write(own_server: PostgresqlServer) -> None:
    """After SIGKILL of PostgreSQL, reads continue, writes are refused, and the service recovers by itself."""
    url = own_server.new_database()
    acknowledged: list[int] = []
    refused = threading.Event()
    over = threading.Event()

    def write(api: Api, writer: int) -> None:
        for number in range(1_000_000):
            if over.is_set():
                return
            value = writer * 1_000_000 + number
            body = {"setting": "cache_ttl", "feature_values": {"user": f"u{value}"}, "value": value}
            status = api.call("POST", "rules", body).status_code
            assert status in {201, 503}
            if status == 201:
                acknowledged.append(value)
            else:
                refused.set()

    def status(api: Api) -> int:
        return api.http.get("/api/health").status_code

    with (
        embedded(url, context_features=FEATURES) as one,
        embedded(url) as two,
        closing(Api(one.url)) as api,
        closing(Api(two.url)) as other,
    ):
        api.declare()
        with ThreadPoolExecutor() as pool, ExitStack() as stack:
            stack.callback(over.set)
            writers = [pool.submit(write, (api, other)[number % 2], number) for number in range(4)]
            until(lambda: len(acknowledged) > 100)
            own_server.kill()
            assert refused.wait(30)
            until(lambda: status(api) == status(other) == 500)
            response = api.call("POST", "context_features", {"context_feature": "new"})
            assert (response.status_code, "retry-after" in response.headers) == (503, True)
            assert "nothing was changed" in response.text
            assert len(api.query()["cache_ttl"]["rules"]) > 50
            before = len(acknowledged)
            own_server.start()
            until(lambda: status(api) == status(other) == 200)
            until(lambda: len(acknowledged) > before + 50)
            over.set()
            for writer in writers:
                writer.result()
        until(lambda: api.state() == other.state())
        stored = [rule["value"] for rule in api.query()["cache_ttl"]["rules"]]
        assert len(set(stored)) == len(stored)
        assert set(acknowledged) <= set(stored)
        # Of each writer, the one write that was under way may be there although it was refused.
        assert len(stored) <= len(acknowledged) + 4


@pytest.mark.thorough
def test_a_server_that_stops_responding_is_noticed(own_server: PostgresqlServer) -> None:
    """A server that keeps its connections and does not respond counts as unavailable until it continues."""
    url = own_server.new_database()
    with embedded(url, context_features=["a"]) as service, closing(Api(service.url)) as api:
        own_server.freeze()
        until(lambda: api.http.get("/api/health").status_code == 500)
        assert api.features() == ["a"]
        assert api.call("POST", "context_features", {"context_feature": "b"}).status_code == 503
        own_server.thaw()
        until(lambda: api.http.get("/api/health").status_code == 200)
        assert api.call("POST", "context_features", {"context_feature": "b"}).status_code == 204


@pytest.mark.thorough
def test_a_newer_state_that_cannot_be_read_is_503(own_server: PostgresqlServer) -> None:
    """If a client knows a newer revision that the replica cannot read, it gets 503 with Retry-After."""
    url = own_server.new_database()
    with embedded(url, context_features=FEATURES) as service, closing(Api(service.url)) as api:
        api.declare()
        seen = api.get("query").headers["etag"]
        newer = '"1000-' + seen.partition("-")[2]
        assert api.call("GET", "query", headers={"if-none-match": newer}).status_code == 200
        own_server.kill()
        response = api.call("GET", "query", headers={"if-none-match": newer})
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert api.call("GET", "query", headers={"if-none-match": seen}).status_code == 304
        own_server.start()


@pytest.mark.thorough
def test_a_restart_of_the_server_between_writes_goes_unnoticed(own_server: PostgresqlServer) -> None:
    """Closed connections in the pool are replaced, and the write succeeds."""
    url = own_server.new_database()

    async def run() -> None:
        async with opened(url) as store:
            await store.write(add("a"))
            own_server.kill()
            own_server.start()
            await store.write(add("b"))
            assert store.catalog.context_features == ("a", "b")

    asyncio.run(run())


def test_a_deadlock_with_somebody_else_is_retried(url: str) -> None:
    """A write that is the victim of a deadlock with another program is repeated."""

    async def run() -> None:
        async with opened(url) as store, await psycopg.AsyncConnection.connect(url) as other:
            await store.write(add("a"))
            await other.execute("SET deadlock_timeout = '1min'")
            await other.execute("LOCK TABLE context_features")
            write = asyncio.create_task(store.write(add("b")))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'context_features'::regclass"
            while (await (await other.execute(waiting)).fetchone()) == (0,):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await other.execute("SELECT pg_advisory_xact_lock(7523094288408965665)")
            await other.rollback()
            await write
            assert store.catalog.context_features == ("a", "b")

    asyncio.run(run())


def test_replicas_are_notified_of_writes(url: str) -> None:
    """A replica is notified of each write, also after its connection for notifications was lost."""

    async def run() -> None:
        async with opened(url) as one, opened(url, poll_interval=3600) as two, following(two):
            await one.write(add("a"))
            await until_async(lambda: two.catalog.context_features == ("a",))
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
                ended = await other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query = 'LISTEN heksherlite' AND datname = current_database()"
                )
                assert await ended.fetchall() == [(True,)]
            await one.write(add("b"))
            await until_async(lambda: two.catalog.context_features == ("a", "b"))
            await one.write(add("c"))
            await until_async(lambda: two.catalog.context_features == ("a", "b", "c"))

    asyncio.run(run())


def test_a_replica_polls_without_notifications(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without notifications, a replica polls the database."""
    monkeypatch.setattr("heksherlite.service.storage.notifications._LISTEN", "LISTEN another")

    async def run() -> None:
        async with opened(url) as one, opened(url) as two, following(two):
            await one.write(add("a"))
            await until_async(lambda: two.catalog.context_features == ("a",))

    asyncio.run(run())


async def next_transaction_id(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT pg_current_xact_id()::text::bigint")).fetchone()
    assert row is not None
    number: int = row[0]
    return number


def test_writes_without_effect_notify_nobody(url: str) -> None:
    """A declaration that changes nothing does not write to the database."""

    async def run() -> None:
        async with opened(url) as store, await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
            await store.write(partial(context_features.expect, expected=["a"]))
            await other.execute("LISTEN heksherlite")
            before = await next_transaction_id(other)
            await store.write(partial(context_features.expect, expected=["a"]))
            after = await next_transaction_id(other)
            assert after == before + 1
            await store.write(add("b"))
            assert [notify.payload async for notify in other.notifies(timeout=30, stop_after=1)] == [""]

    asyncio.run(run())


def test_a_frozen_replica_does_not_hold_up_the_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes the write lock from a replica that does not use it."""

    async def hold_up(store: Store) -> None:
        session = "SET idle_in_transaction_session_timeout = 100"
        monkeypatch.setattr("heksherlite.service.storage.postgresql._SESSION", session)
        frozen = open_database(url)
        try:
            async with frozen.writing():
                await store.write(add("a"))
        finally:
            await frozen.close()

    async def run() -> None:
        async with opened(url) as store:
            with pytest.raises(DatabaseUnavailableError):
                await hold_up(store)
            assert store.catalog.context_features == ("a",)

    asyncio.run(run())


def test_a_transaction_that_takes_too_long_is_cut_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that waits too long for a lock is refused, and the next ones succeed."""
    monkeypatch.setattr("heksherlite.service.storage.postgresql._WRITE_SECONDS", 0.3)

    async def run() -> None:
        async with opened(url) as store:
            async with await psycopg.AsyncConnection.connect(url) as other:
                await other.execute("LOCK TABLE context_features")
                with pytest.raises(DatabaseUnavailableError):
                    await store.write(add("a"))
            await store.write(add("b"))
            assert store.catalog.context_features == ("b",)

    asyncio.run(run())


def test_a_lost_commit_has_an_unknown_outcome(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the connection is lost during the commit, the error says that the outcome is unknown."""
    commit = (
        "SELECT database_id, revision, revision_nonce FROM heksherlite_state; COMMIT;"
        " SELECT pg_terminate_backend(pg_backend_pid())"
    )
    with embedded(url, context_features=["a"]) as service, closing(Api(service.url)) as api:
        monkeypatch.setattr("heksherlite.service.storage.postgresql._NOTIFY_AND_COMMIT", commit)
        response = api.call("POST", "context_features", {"context_feature": "b"})
        monkeypatch.undo()
        assert (response.status_code, "applied either completely or not at all" in response.text) == (503, True)
        until(lambda: api.features() == ["a", "b"])


def test_sessions_are_set_up(url: str) -> None:
    """An acknowledged write is on the disk, regardless of the default of the server."""

    async def run() -> None:
        database = PostgresqlDatabase(f"{url}&options=-csynchronous_commit%3Doff&application_name=mine")
        async with database.reading() as connection:
            names = ("synchronous_commit", "idle_in_transaction_session_timeout", "lock_timeout", "application_name")
            values = [(await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in names]
        await database.close()
        assert values == ["on", "10s", "8s", "mine"]

    asyncio.run(run())


def test_another_schema_can_be_used(postgresql_server: PostgresqlServer, url: str) -> None:
    """With a search path in the URL, tables in other schemas are ignored."""
    postgresql_server.execute("CREATE TABLE theirs (x int); CREATE SCHEMA ours", url=url)
    with pytest.raises(ServiceStartError, match="holds other tables"):
        prepare(url)
    prepare(f"{url}&options=-csearch_path%3Dours")
    assert postgresql_server.execute("SELECT count(*) FROM ours.heksherlite_state", url=url) == [(1,)]


def test_another_encoding_is_refused(postgresql_server: PostgresqlServer) -> None:
    """A database with another encoding than UTF-8 is refused."""
    latin = postgresql_server.new_database("ENCODING latin1 LOCALE 'C' TEMPLATE template0")
    with pytest.raises(ServiceStartError, match="its encoding is LATIN1, and has to be UTF8"):
        prepare(latin)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:secret@127.0.0.1:1/db", r"cannot use database postgresql://user@127.0.0.1:1/db: .*refused"),
        ("postgres://u:secret@nowhere.invalid/db", "nowhere.invalid"),
        ("postgresql+asyncpg://user:sec/ret@host/db", "this is no PostgreSQL URL; .* %-encoding"),
        ("postgresql://127.0.0.1/db?sslmode=nonsense", "sslmode"),
    ],
)
def test_unusable_urls_are_refused(url: str, message: str) -> None:
    """An unusable URL is reported without a password."""
    with pytest.raises(ServiceStartError, match=message) as caught, embedded(url):
        pass
    assert "sec" not in str(caught.value)


def test_a_missing_database_is_told(postgresql_server: PostgresqlServer) -> None:
    """The error contains the message of the server."""
    with pytest.raises(ServiceStartError, match='database "nope" does not exist'):
        prepare(postgresql_server.url("nope"))


def test_without_the_extra_it_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg, the error names the extra."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "heksherlite.service.storage.postgresql")
    with pytest.raises(ServiceStartError, match=r"heksherlite\[postgresql\]"):
        open_database("postgresql://host/db")


@pytest.mark.parametrize(
    ("away", "back"),
    [
        ("ALTER TABLE heksherlite_state RENAME TO gone", "ALTER TABLE gone RENAME TO heksherlite_state"),
        ("ALTER SCHEMA public RENAME TO gone", "ALTER SCHEMA gone RENAME TO public"),
    ],
)
def test_tables_that_are_gone_end_no_replica(
    url: str, postgresql_server: PostgresqlServer, away: str, back: str
) -> None:
    """While tables are missing, reads continue from memory. Writes succeed when the tables are back."""

    async def run() -> None:
        async with opened(url) as store, following(store):
            await store.write(add("a"))
            postgresql_server.execute(away, url=url)
            with pytest.raises(DatabaseUnavailableError):
                await store.write(add("b"))
            await until_async(lambda: not store.available)
            assert store.catalog.context_features == ("a",)
            postgresql_server.execute(back, url=url)
            await until_async(lambda: store.available)
            await store.write(add("b"))
            assert list(store.catalog.context_features) == ["a", "b"]

    asyncio.run(run())


@pytest.mark.thorough
def test_a_server_that_became_read_only_is_left(own_server: PostgresqlServer) -> None:
    """Connections to a former primary are closed, so that writes succeed as soon as possible."""
    url = own_server.new_database()

    async def run() -> None:
        async with opened(url) as store:
            await store.write(add("a"))
            before = backends(own_server)
            own_server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            own_server.execute("SELECT pg_reload_conf()")
            await until_async(lambda: read_only(own_server) == "on")
            with pytest.raises(DatabaseUnavailableError, match="read-only"):
                await store.write(add("b"))
            assert not before & backends(own_server)
            with psycopg.connect(own_server.url(), autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            own_server.execute("SELECT pg_reload_conf()")
            await until_async(lambda: read_only(own_server) == "off")
            await store.write(add("b"))

    asyncio.run(run())


def read_only(server: PostgresqlServer) -> str:
    ((value,),) = server.execute("SHOW default_transaction_read_only")
    return str(value)


def backends(server: PostgresqlServer) -> set[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'heksherlite'"
    return {pid for (pid,) in server.execute(query)}


class Ahead(datetime):
    """The clock of a machine that is an hour ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> "Ahead":
        return cls.fromtimestamp(datetime.now(UTC).timestamp() + 3600, tz)


@pytest.fixture
def clock_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heksherlite.service.storage.postgresql.datetime", Ahead)
    monkeypatch.setattr("time.time", lambda: Ahead.now(UTC).timestamp())


@pytest.mark.usefixtures("clock_ahead")
def test_a_replica_with_a_wrong_clock_does_not_date_the_history(url: str) -> None:
    """The time of a change is that of the server, not of the replica."""

    async def run() -> None:
        async with opened(url) as store:
            await store.write(add("a"))
            record = await store.history.record(store.catalog.counters.revision)
            assert abs(record.time - datetime.now(UTC)) < timedelta(minutes=5)

    asyncio.run(run())


@pytest.mark.usefixtures("clock_ahead")
def test_a_replica_with_a_wrong_clock_is_not_early(url: str) -> None:
    """Scheduled rules begin and tokens expire by the clock of the server, whatever the clock of the replica says."""
    soon = datetime.now(UTC) + timedelta(minutes=30)
    with (
        embedded(url, context_features=FEATURES, access=AccessOptions(auth="tokens")) as service,
        closing(Api(service.url, token=service.first_token)) as api,
    ):
        api.declare()
        rule = {"setting": "cache_ttl", "feature_values": {"user": "a"}, "value": 1, "starts_at": soon.isoformat()}
        assert api.call("POST", "rules", rule).status_code == 201
        operation = {"op": "add_rule", **rule, "feature_values": {"user": "b"}}
        assert api.call("POST", "changes", {"operations": [operation]}).status_code == 200
        proposal = {"operations": [{**operation, "feature_values": {"user": "c"}}], "apply_at": soon.isoformat()}
        assert api.call("POST", "proposals", proposal).status_code == 201
        new_token = {"name": "t", "scopes": ["read"], "expires_at": int(soon.timestamp())}
        token = api.call("POST", "tokens", new_token).json()["token"]
        with closing(Api(service.url, token=token)) as reader:
            assert reader.query()["cache_ttl"]["rules"] == []
