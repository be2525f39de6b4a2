"""The processes that use a PostgreSQL database are known by the names of their connections."""

import asyncio
import os
import platform
from datetime import UTC, datetime

import pytest

from heksherlite._version import __version__
from heksherlite.service.storage.postgresql import PostgresqlDatabase
from heksherlite.service.storage.replicas import application_name, replicas_in
from tests.service import postgresql

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_a_name_fits_into_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL keeps 63 bytes of a name; a long name of a machine is cut, and blanks are replaced."""
    monkeypatch.setattr(platform, "node", lambda: "a very läng näme " * 9)
    name = application_name()
    assert len(name.encode()) == 63
    (replica,) = replicas_in([(name, "10.0.0.7", 3, NOON)])
    assert (replica.process, replica.version, replica.connections) == (os.getpid(), __version__, 3)
    assert replica.machine.startswith("a-very-l?ng")
    assert replica.is_this_process


def test_other_processes_are_not_this_one() -> None:
    """The number of a process alone does not make it the same; names that others chose are left out."""
    names = [
        f"heksherlite 9.9 {os.getpid()}@elsewhere",
        f"heksherlite 9.9 1@{platform.node()}",
        "heksherlite is mine@x",
    ]
    replicas = replicas_in([(name, None, 1, NOON) for name in names])
    assert [replica.is_this_process for replica in replicas] == [False, False]


@pytest.mark.thorough
def test_the_database_knows_its_replicas() -> None:
    """Each process is one replica, however many connections it has; other programs are none."""

    async def look(url: str) -> None:
        database = PostgresqlDatabase(url)
        named = PostgresqlDatabase(f"{url}&application_name=mine")
        try:
            for each in (database, named):
                await each.prepare()
            found = await database.replicas()
            assert [(each.is_this_process, each.version) for each in found] == [(True, __version__)]
            assert found[0].connected_at <= database.now()
        finally:
            for each in (database, named):
                await each.close()

    with postgresql.running() as server:
        asyncio.run(look(server.new_database()))
