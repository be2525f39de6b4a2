"""The SQLite database: one file, with many readers and one writer at a time, across processes."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiosqlite
from anyio import to_thread
from sqlalchemy import URL, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.counters import Counters
from heksherlite.service.errors import DatabaseBusyError, DatabaseUnavailableError, UnknownOutcomeError
from heksherlite.service.storage.direct_statements import DirectStatements
from heksherlite.service.storage.rows import read_counters
from heksherlite.service.storage.schema import check_schema, upgrade_schema
from heksherlite.service.storage.sqlite_files import SqliteFiles

_BUSY_TIMEOUT = 10.0  # seconds that one process waits for another's write

# FULL: an acknowledged write is on the disk, so it survives a crash of the process and a loss of power. With NORMAL it
# would survive the former only.
# The limit: an import of a million rules makes the -wal large, and SQLite would keep it so.
_PRAGMAS = """
    PRAGMA foreign_keys = ON;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 67108864;
"""


_FAULTS: Final = (
    *(DataError, IntegrityError, ProgrammingError),
    # if they do not come through SQLAlchemy
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.ProgrammingError),
)


class SqliteDatabase:
    """A SQLite file, which is created if it does not exist.

    If the file is moved, removed or replaced while it is open, it is away until there is a database in its place again,
    which is then opened.

    Args:
        path: The file; its folder must exist.
        keep_permissions: Whether other users may keep access to the file; otherwise it is made private.
    """

    def __init__(self, path: Path, *, keep_permissions: bool = False) -> None:
        self._path = path
        self._files = SqliteFiles(path, keep_permissions=keep_permissions)
        self._engine = _engine(path)
        self._probe = _engine(path, poolclass=NullPool)
        self._watcher: AsyncConnection | None = None
        self._data_version: int | None = None
        self._wake_up = asyncio.Event()

    @property
    def location(self) -> str:
        """The absolute path of the file."""
        return str(self._path.absolute())

    @property
    def wake_up(self) -> asyncio.Event:
        """Never set, because SQLite does not notify other processes of writes."""
        return self._wake_up

    def now(self) -> datetime:
        """Return the time of the clock of this machine, where all processes that use the file run."""
        return datetime.now(UTC)

    async def has_other_users(self) -> bool:
        """Return whether another process has the file open. Call this before anything else."""
        return await to_thread.run_sync(_is_open_elsewhere, self._path)

    async def prepare(self) -> None:
        """Check that the file is empty or belongs to the service, switch it to WAL, and create or upgrade its schema.

        Raises:
            ServiceStartError: It is neither, or it cannot be opened.
        """
        try:
            await to_thread.run_sync(self._create_or_open)
            async with self._engine.connect() as connection:
                is_current = await connection.run_sync(check_schema)
                await to_thread.run_sync(self._files.make_private)
                await _switch_to_wal(connection)
            async with self.writing() as connection:
                if not is_current:
                    await connection.run_sync(upgrade_schema)
        except (DBAPIError, DatabaseUnavailableError, OSError, sqlite3.Error) as error:
            reason = getattr(error, "orig", None) or error
            raise ServiceStartError(f"cannot use database {self._path}: {reason}") from error
        except ServiceStartError as error:
            raise ServiceStartError(f"cannot use database {self._path}: {error}") from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that holds the write lock; commit at the end, roll back on an exception."""
        async with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection
        try:
            self._files.require_same()
        except DatabaseUnavailableError as error:
            raise UnknownOutcomeError(f"during a write, {error}") from error

    async def counters(self, connection: AsyncConnection) -> Counters:
        """Read the counters."""
        return await read_counters(connection)

    def batching(self, connection: AsyncConnection) -> AbstractAsyncContextManager[DirectStatements]:
        """Yield what executes each statement at once: there is no network to save round trips on."""
        return nullcontext(DirectStatements(_driver_of(connection)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one revision."""
        async with self._transaction("BEGIN") as connection:
            yield connection

    async def check(self) -> None:
        """Open the file and read from it, which also notices that it is gone or damaged.

        If the file was replaced, all connections are made to the new one.
        """
        if self._files.were_replaced():
            await self._open_new_file()
        self._files.require_same()
        with _raising_unavailable():
            async with self._probe.connect() as connection:
                await connection.exec_driver_sql("SELECT revision FROM heksherlite_state")

    async def has_changes(self) -> bool:
        """Return whether the file was written since the last call, through any connection of any process."""
        self._files.require_same()
        self._files.note_companions()
        with _raising_unavailable():
            watcher = self._watcher = self._watcher or await self._engine.connect()
            version: int = (await watcher.exec_driver_sql("PRAGMA data_version")).scalar_one()
        before, self._data_version = self._data_version, version
        return before != version

    async def replicas(self) -> None:
        """Return None: SQLite does not know which processes use a file."""

    async def close(self) -> None:
        """Close all connections."""
        await self._close_connections()
        await self._probe.dispose()

    async def _close_connections(self) -> None:
        if self._watcher is not None:
            await self._watcher.close()
            self._watcher = None
        await self._engine.dispose()

    async def _open_new_file(self) -> None:
        await self._close_connections()
        self._data_version = None
        try:
            await to_thread.run_sync(self._files.remove_companions)
            with closing(await to_thread.run_sync(_connect, self._path)) as connection:
                has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,)
            if not has_tables:
                raise DatabaseUnavailableError(f"the file {self._path} was replaced by an empty one")
            await self.prepare()
        except (OSError, sqlite3.Error, ServiceStartError) as error:
            raise DatabaseUnavailableError(f"the file {self._path} was replaced: {error}") from error

    def _create_or_open(self) -> None:
        self._files.create()
        # A file that cannot be opened fails here. A failed connection of aiosqlite would leave a thread behind that
        # reports to the event loop later, when the loop may be closed.
        _connect(self._path).close()
        self._files.note_opened()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[AsyncConnection]:
        self._files.require_same()
        with _raising_unavailable():
            async with self._engine.connect() as connection:
                driver = _driver_of(connection)
                await driver.execute_fetchall(begin)
                try:
                    yield connection
                except BaseException:
                    if driver.in_transaction:  # SQLite itself rolls back when the disk is full
                        await driver.execute_fetchall("ROLLBACK")
                    raise
                await driver.execute_fetchall("COMMIT")


def _driver_of(connection: Any) -> aiosqlite.Connection:
    driver: aiosqlite.Connection = connection.sync_connection.connection.driver_connection
    return driver


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
    try:
        connection.execute("PRAGMA schema_version")
    except BaseException:
        connection.close()
        raise
    return connection


def _engine(path: Path, **options: Any) -> AsyncEngine:
    # Connecting never creates the file: while the file is moved away, that would put a new one in its place.
    query = {"mode": "rw", "uri": "true"}
    url = URL.create("sqlite+aiosqlite", database=path.absolute().as_uri(), query=query)
    # The driver commits by itself, because transactions are begun here, each in the mode that it needs.
    arguments = {"timeout": _BUSY_TIMEOUT}
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments, **options)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    # One script, because each statement would go to the driver's thread and back several times.
    connection.run_async(lambda driver: driver.executescript(_PRAGMAS))


async def _switch_to_wal(connection: AsyncConnection) -> None:
    # While another process switches too, SQLite reports "locked" immediately, despite the time-out.
    deadline = time.monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            return


@contextmanager
def _raising_unavailable() -> Iterator[None]:
    try:
        yield
    except _FAULTS:
        raise  # an error in this code, not in the database
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig or error if isinstance(error, DBAPIError) else error
        raise (DatabaseBusyError if _is_busy(cause) else DatabaseUnavailableError)(str(cause)) from error


def _is_busy(error: BaseException | None) -> bool:
    """Return whether another connection holds a lock. The lowest byte of an extended code of SQLite is the kind."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _is_open_elsewhere(path: Path) -> bool:
    # A connection in WAL mode shares a lock of the file with the others, and this one does not want to share it.
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return _is_busy(error)
    except sqlite3.DatabaseError:  # whoever opens it says what is wrong with it
        return False
    return False
