"""Behaviour that only SQLite has: files that are missing, full, replaced or readable by others."""

import asyncio
import logging
import os
import sqlite3
import stat
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from heksherlite.errors import ServiceStartError
from heksherlite.service.domain import context_features
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.errors import DatabaseUnavailableError, UnknownOutcomeError
from heksherlite.service.storage.sqlite import SqliteDatabase
from tests.service.stores import following, opened, prepare
from tests.waiting import until_async


def test_an_unreachable_database_is_noticed_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the file is missing, reads continue and writes are refused, with one warning. Then the service recovers."""
    path, away = tmp_path / "a.db", tmp_path / "away.db"
    caplog.set_level(logging.INFO, "heksherlite.service")

    async def run() -> None:
        async with opened(str(path)) as store:
            await store.write(partial(context_features.expect, expected=["f"]))
            async with following(store):
                path.rename(away)
                await until_async(lambda: not store.available)
                assert store.catalog.context_features == ("f",)
                with pytest.raises(DatabaseUnavailableError):
                    await store.write(partial(context_features.add, name="g"))
                away.rename(path)
                await until_async(lambda: store.available)
                await store.write(partial(context_features.add, name="g"))
                assert list(store.catalog.context_features) == ["f", "g"]

    asyncio.run(run())
    assert [record.message for record in caplog.records] == [
        f"the database cannot be reached: the file {path} was moved or removed",
        "the database can be reached again",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the system on files")
def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the disk is full, writes fail and reads continue. One warning has the reason, and one record the end."""
    import resource  # noqa: PLC0415 - not on all systems

    caplog.set_level("INFO", "heksherlite.service.storage")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/a.db") as store, following(store):
            await store.write(partial(context_features.expect, expected=["f"]))
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, unlimited[1]))
            try:
                for _ in range(2):
                    with pytest.raises(DatabaseUnavailableError):
                        await store.write(partial(context_features.add, name="g"))
                    await until_async(lambda: bool(caplog.messages))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            assert store.available
            assert store.catalog.context_features == ("f",)
            await store.write(partial(context_features.add, name="g"))

    asyncio.run(run())
    failed, recovered = caplog.records
    assert failed.getMessage() == f"the database can be reached, but a write failed: {vars(failed)['reason']}"
    assert recovered.getMessage() == "the database can be written again"


def test_the_file_is_used_as_promised(tmp_path: Path) -> None:
    """The file uses WAL, which does not stay large. Each connection checks foreign keys and writes durably."""

    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/a.db"):
            database = SqliteDatabase(tmp_path / "a.db")
            async with database.reading() as connection:
                pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "journal_size_limit")
                values = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in pragmas]
            await database.close()
            assert values == ["wal", 1, 2, 10_000, 2**26]

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["other tables", "garbage", "folder"])
def test_files_that_are_not_ours_are_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    """The database of another program, and a file that is not a database, are refused and unchanged."""
    path = tmp_path / "a.db"
    if kind == "other tables":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE settings (x)")
        connection.close()
    elif kind == "garbage":
        path.write_bytes(b"not a database" * 1000)
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ServiceStartError, match="cannot use database"):
        prepare(str(path))
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not in the mode there")
@pytest.mark.parametrize("kind", ["other tables", "garbage", "folder"])
def test_the_permissions_of_files_that_are_not_ours_stay(tmp_path: Path, kind: str) -> None:
    """A mistake in the name of the database takes nobody's access to their own files and folders away."""
    path = tmp_path / "a.db"
    if kind == "other tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE settings (x)")
    elif kind == "garbage":
        path.write_bytes(b"not a database" * 1000)
    else:
        path.mkdir()
    path.chmod(0o755)
    with pytest.raises(ServiceStartError, match="cannot use database"):
        prepare(str(path))
    assert mode_of(path) == 0o755


def test_an_interrupted_first_start_is_finished_by_the_next(tmp_path: Path) -> None:
    """An empty file of an interrupted first start is treated as new."""
    (tmp_path / "a.db").touch()
    prepare(f"sqlite:///{tmp_path}/a.db")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not in the mode there")
def test_the_files_are_private(tmp_path: Path) -> None:
    """Regardless of the umask, nobody else can read the file, its -wal and its -shm, because they contain secrets."""
    umask = os.umask(0o022)
    try:

        async def run() -> None:
            async with opened(f"sqlite:///{tmp_path}/a.db") as store:
                await store.write(partial(context_features.add, name="f"))
                for name in ("a.db", "a.db-wal", "a.db-shm"):
                    assert mode_of(tmp_path / name) == 0o600, name

        asyncio.run(run())
    finally:
        os.umask(umask)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not in the mode there")
@pytest.mark.parametrize(("option", "mode"), [("", 0o600), ("?permissions=keep", 0o644)])
def test_files_that_others_can_read(tmp_path: Path, option: str, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    """They are made private with a warning. With ``permissions=keep`` they are left with a warning."""
    path = tmp_path / "a.db"
    path.touch()
    path.chmod(0o644)
    prepare(f"sqlite:///{path}{option}")
    assert mode_of(path) == mode
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert str(path) in warning
    assert "0644" in warning


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_a_file_that_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A replaced file is opened, nothing is written to the old one, and the log has one record."""
    caplog.set_level("INFO", "heksherlite.service.storage.availability")
    path = tmp_path / "a.db"

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store, following(store):
            await store.write(partial(context_features.add, name="kept"))
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "backup")) as backup:
                source.backup(backup)
            await store.write(partial(context_features.add, name="lost"))
            (tmp_path / "backup").rename(path)
            with pytest.raises(DatabaseUnavailableError):
                await store.write(partial(context_features.add, name="nowhere"))
            await until_async(lambda: store.available and store.catalog.context_features == ("kept",))
            await store.write(partial(context_features.add, name="new"))
            for _ in range(3):
                await store.load()
        with closing(sqlite3.connect(path)) as stored:
            assert stored.execute("SELECT name FROM context_features ORDER BY position").fetchall() == [
                ("kept",),
                ("new",),
            ]
            assert stored.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    asyncio.run(run())
    told = [record.message for record in caplog.records if record.name.endswith("availability")]
    assert told == [
        f"the database cannot be reached: the file {path} was replaced by another file",
        "the database can be reached again",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_a_check_that_began_before_the_file_was_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A check that began before a write failed, and succeeds after it, does not end the outage."""
    caplog.set_level("INFO", "heksherlite.service.storage.availability")
    path = tmp_path / "a.db"

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store:
            await store.write(partial(context_features.add, name="kept"))
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "backup")) as backup:
                source.backup(backup)
            database, checking, replaced = store._database, asyncio.Event(), asyncio.Event()

            async def slow_check() -> None:
                checking.set()
                await replaced.wait()

            with patch.object(database, "check", slow_check):
                async with following(store):
                    await checking.wait()
                    (tmp_path / "backup").rename(path)
                    with pytest.raises(DatabaseUnavailableError):
                        await store.write(partial(context_features.add, name="nowhere"))
                    database.check = SqliteDatabase.check.__get__(database)  # type: ignore[method-assign]
                    replaced.set()
                    await until_async(lambda: store.available)
                    await store.write(partial(context_features.add, name="new"))

    asyncio.run(run())
    told = [record.getMessage() for record in caplog.records if record.name.endswith("availability")]
    assert told == [
        f"the database cannot be reached: the file {path} was replaced by another file",
        "the database can be reached again",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_an_empty_file_in_its_place(tmp_path: Path) -> None:
    """An empty file in its place is not used, because a copy may be in progress."""
    path = tmp_path / "a.db"

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store:
            await store.write(partial(context_features.add, name="f"))
            path.rename(tmp_path / "away.db")
            path.touch()
            with pytest.raises(DatabaseUnavailableError, match="empty"):
                await store._database.check()
            assert path.stat().st_size == 0
            assert store.catalog.context_features == ("f",)

    asyncio.run(run())


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_a_file_that_is_replaced_during_a_write(tmp_path: Path) -> None:
    """A write during the replacement is not acknowledged."""
    path = tmp_path / "a.db"

    async def run() -> None:
        async with opened(f"sqlite:///{path}") as store:

            def decide(catalog: Catalog) -> Decision[None]:
                path.rename(tmp_path / "away.db")
                return context_features.add(catalog, "f")

            with pytest.raises(UnknownOutcomeError, match="moved or removed"):
                await store.write(decide)

    asyncio.run(run())
