"""The PostgreSQL database: for any number of replicas, each with a few connections."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.counters import Counters
from heksherlite.service.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    InterruptedWriteError,
    UnknownOutcomeError,
)
from heksherlite.service.storage.batches import Batch
from heksherlite.service.storage.idle_timeout import close_when_idle
from heksherlite.service.storage.notifications import Notifications
from heksherlite.service.storage.replicas import SELECT_REPLICAS, Replica, application_name, replicas_in
from heksherlite.service.storage.rows import SELECT_STATE, counters_of
from heksherlite.service.storage.schema import check_schema, upgrade_schema

_DIALECT: Final = URL.create("postgresql+psycopg").get_dialect()()

_CONNECTION: Final[dict[str, Any]] = {
    "connect_timeout": 3,
    # A server that disappears silently is detected in about 10 s.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Defaults for options that the URL does not set, in libpq's units: seconds, except for the last one."""

_SESSION: Final = """
    SET lock_timeout = '8s';
    SET idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
# The second frees the write lock that a frozen or vanished replica holds; the third keeps acknowledged writes from
# getting lost in a crash of the server.

_WRITE_LOCK: Final = 0x6865_6B73_6865_7221
_BEGIN_UPGRADE: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_WRITE_LOCK})"
_BEGIN_WRITING: Final = f"{_BEGIN_UPGRADE}; {SELECT_STATE}"
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# A transaction that wrote nothing has no id, and needs no notification.
_NOTIFY_AND_COMMIT: Final = """
    SELECT database_id, revision, revision_nonce,
           CASE WHEN pg_current_xact_id_if_assigned() IS NOT NULL THEN pg_notify('heksherlite', '') END
    FROM heksherlite_state;
    COMMIT
"""
_NEWEST: Final = (
    "SELECT database_id, revision, revision_nonce, current_setting('transaction_read_only'), clock_timestamp()"
    " FROM heksherlite_state"
)

# For how long the server may be silent in the middle of a transaction.
_LOOK_SECONDS: Final = 2.0
_WRITE_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0  # everything at once may take long


_FAULTS: Final = (
    *(DataError, IntegrityError, ProgrammingError),
    # in a batch, they come as they are
    *(psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError),
)


_NOT_ACCESSIBLE: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)
"""Errors that are like those of this code, and mean that tables were dropped, or that the user lost its privileges."""

_MOST_BACKENDS: Final = 100


class _ReadOnlyError(InterruptedWriteError):
    """The server does not accept writes, as a former primary; another one may."""


class PostgresqlDatabase:
    """A database of a PostgreSQL server.

    Writes take a lock of the whole database before they look at anything, so they follow one another, whichever
    replica they come from. Each commit notifies the other replicas.

    Args:
        url: A libpq connection URL, which can have all options of libpq.

    Raises:
        ServiceStartError: The URL is malformed.
    """

    def __init__(self, url: str) -> None:
        given = _parsed(url)
        self._conninfo = make_conninfo(**{**_CONNECTION, "application_name": application_name(), **given})
        self._location = _without_secrets(given)
        self._engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            isolation_level="AUTOCOMMIT",  # for the driver, because transactions are begun here
            use_native_hstore=False,
            pool_size=2,  # fewer than the attempts at a write: a restart of the server ends them all
            max_overflow=3,
            pool_timeout=_WRITE_SECONDS,
        )
        event.listen(self._engine.sync_engine, "after_cursor_execute", _restart_idle_timeout)
        self._wake_up = asyncio.Event()
        self._clock_offset = timedelta(0)
        self._backends: deque[int] = deque(maxlen=_MOST_BACKENDS)
        self._notifications = Notifications(self._connect, self._wake_up, self._backends)
        self._seen: tuple[Any, ...] | None = None

    @property
    def location(self) -> str:
        """The URL without the password and options."""
        return self._location

    @property
    def wake_up(self) -> asyncio.Event:
        """Set when a notification of a write arrives, or when the connection for notifications is lost."""
        return self._wake_up

    def now(self) -> datetime:
        """Return the time of the server's clock, which is the same for all replicas."""
        return datetime.now(UTC) + self._clock_offset

    async def has_other_users(self) -> bool:
        """Return whether another process is connected whose URL does not set another application name."""
        return not all(replica.is_this_process for replica in await self.replicas())

    async def prepare(self) -> None:
        """Check that the database is empty or belongs to the service, and create or upgrade its schema.

        Raises:
            ServiceStartError: The database belongs to something else, or it cannot be used.
        """
        try:
            async with self.reading() as connection:
                await connection.run_sync(_check_encoding)
                is_current = await connection.run_sync(check_schema)
            async with self._writing(_BEGIN_UPGRADE) as connection:
                if not is_current:
                    await connection.run_sync(upgrade_schema)
        except (DBAPIError, DatabaseUnavailableError, ServiceStartError) as error:
            raise ServiceStartError(f"cannot use database {self._location}: {_reason(error)}") from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that holds the write lock; commit at the end, roll back on an exception."""
        async with self._writing(_BEGIN_WRITING) as connection:
            yield connection

    async def counters(self, connection: AsyncConnection) -> Counters:
        """Return the counters, which were read in the message that began the transaction."""
        counters = counters_of(connection.info["begun"])
        return replace(counters, changed_at=counters.changed_at and counters.changed_at.astimezone(UTC))

    @asynccontextmanager
    async def batching(self, connection: AsyncConnection) -> AsyncIterator[Batch]:
        """Yield what sends the statements of a block together."""
        driver = _driver_of(connection)

        async def send(statements: str) -> None:
            await _execute(driver, statements)
            connection.info["idle_timeout"].restart()

        merge: Any = psycopg.AsyncClientCursor(driver).mogrify  # typed for statements that are literals
        batch = Batch(connection, _DIALECT, merge=merge, send=send)
        yield batch
        await batch.flushed()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one revision."""
        async with self._connection(_READ_SECONDS) as (connection, driver):
            await _execute(driver, _BEGIN_READING)
            async with _rolling_back(driver):
                yield connection
            await _execute(driver, "COMMIT")

    async def check(self) -> None:
        """Read the newest revision from the server.

        If the server is read-only, as a former primary is after a failover, all connections are made again: with
        ``target_session_attrs`` in the URL, they lead to the new primary.
        """
        row = await self._newest()
        if row is None:
            raise DatabaseUnavailableError("the table heksherlite_state is empty")
        if row[3] == "on":
            await self._reconnect()

    async def has_changes(self) -> bool:
        """Return whether the revision differs from the one at the last call or the last write of this process."""
        self._notifications.start()
        newest = _name_in(await self._newest())
        before, self._seen = self._seen, newest
        return before != newest

    async def replicas(self) -> Sequence[Replica]:
        """Return the processes that are connected, as far as their URLs do not set another application name."""
        async with self._connection(_LOOK_SECONDS) as (_, driver):
            rows = await (await driver.execute(SELECT_REPLICAS, prepare=False)).fetchall()
        return replicas_in(rows)

    async def close(self) -> None:
        """Close all connections."""
        await self._notifications.stop()
        await self._engine.dispose()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        try:
            await connection.execute(_SESSION, prepare=False)
            asked_at = datetime.now(UTC)
            row = await (await connection.execute("SELECT clock_timestamp()", prepare=False)).fetchone()
            if row is not None:
                self._compare_clocks(row[0], asked_at)
        except BaseException:
            await connection.close()
            raise
        # If another process's connection gets the same id later, its writes are only noticed by polling.
        self._backends.append(connection.info.backend_pid)
        return connection

    async def _newest(self) -> tuple[Any, ...] | None:
        async with self._connection(_LOOK_SECONDS) as (_, driver):
            asked_at = datetime.now(UTC)
            row: tuple[Any, ...] | None = await (await _execute(driver, _NEWEST)).fetchone()
            if row is not None:
                self._compare_clocks(row[4], asked_at)
        return row

    def _compare_clocks(self, server_time: datetime, asked_at: datetime) -> None:
        # The server looked at its clock between the question and now. An offset that agrees with that is kept: the time
        # that the response takes is not taken for a difference of the clocks.
        least, most = server_time - datetime.now(UTC), server_time - asked_at
        self._clock_offset = min(max(self._clock_offset, least), most)

    @asynccontextmanager
    async def _writing(self, begin: str) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._connection(_WRITE_SECONDS) as (connection, driver):
                with _raising_interrupted(driver):
                    connection.info["begun"] = await _last_row(await _execute(driver, begin))
                    async with _rolling_back(driver):
                        yield connection
                    with _raising_unknown_outcome(driver):
                        committed = await _execute(driver, _NOTIFY_AND_COMMIT)
                self._seen = _name_in(await committed.fetchone())
        except _ReadOnlyError:
            await self._reconnect()
            raise

    async def _reconnect(self) -> None:
        await self._engine.dispose()
        await self._notifications.stop()

    @asynccontextmanager
    async def _connection(self, seconds: float) -> AsyncIterator[tuple[AsyncConnection, psycopg.AsyncConnection[Any]]]:
        with _raising_unavailable():
            async with self._engine.connect() as connection:
                driver = _driver_of(connection)
                try:
                    with close_when_idle(driver, seconds) as idle_timeout:
                        connection.info["idle_timeout"] = idle_timeout
                        yield connection, driver
                finally:
                    if driver.closed:
                        await connection.invalidate()


def _restart_idle_timeout(connection: Connection, *_: object) -> None:
    if "idle_timeout" in connection.info:
        connection.info["idle_timeout"].restart()


def _parsed(url: str) -> dict[str, Any]:
    with suppress(psycopg.Error):
        given: dict[str, Any] = conninfo_to_dict(url)
        ports = str(given.get("port") or 0).split(",")
        if all(port.isdecimal() or not port for port in ports) and "@" not in given.get("dbname", ""):
            return given
    # Without the reason, because libpq may report a part of the password as a port or a database.
    raise ServiceStartError(
        "this is no PostgreSQL URL; it looks like postgresql://USER:PASSWORD@HOST:PORT/DATABASE,"
        " with %-encoding for special characters in the password"
    )


def _check_encoding(connection: Connection) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ServiceStartError(f"its encoding is {encoding}, and has to be UTF8")


def _driver_of(connection: Any) -> psycopg.AsyncConnection[Any]:
    driver: psycopg.AsyncConnection[Any] = connection.sync_connection.connection.driver_connection
    return driver


async def _execute(driver: psycopg.AsyncConnection[Any], statements: str) -> psycopg.AsyncCursor[Any]:
    # Several statements in one round trip, which prepared ones cannot be.
    return await driver.execute(statements.encode(driver.info.encoding), prepare=False)


async def _last_row(cursor: psycopg.AsyncCursor[Any]) -> tuple[Any, ...] | None:
    while cursor.nextset():
        pass
    row: tuple[Any, ...] | None = await cursor.fetchone()
    return row


def _name_in(row: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Return the id of the database and the name of the revision from a row that begins with them."""
    return None if row is None else tuple(row[:3])


@asynccontextmanager
async def _rolling_back(driver: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        if not driver.closed:
            await _execute(driver, "ROLLBACK")
        raise


@contextmanager
def _raising_interrupted(driver: psycopg.AsyncConnection[Any]) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
            raise _ReadOnlyError(_reason(error)) from error
        conflict = isinstance(cause, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected)
        if conflict or driver.closed:
            raise InterruptedWriteError(_reason(error)) from error
        raise


@contextmanager
def _raising_unknown_outcome(driver: psycopg.AsyncConnection[Any]) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if driver.closed:
            raise UnknownOutcomeError(_reason(error)) from error
        raise


@contextmanager
def _raising_unavailable() -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        if isinstance(getattr(error, "orig", error), _NOT_ACCESSIBLE):
            raise DatabaseUnavailableError(_reason(error)) from error
        raise  # an error in this code, not in the database
    except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
        is_busy = isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable)
        raise (DatabaseBusyError if is_busy else DatabaseUnavailableError)(_reason(error)) from error


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split()) or repr(error)


def _without_secrets(given: dict[str, Any]) -> str:
    user = f"{given['user']}@" if "user" in given else ""
    host = given.get("host") or given.get("hostaddr") or ""
    if host.startswith("/") or not host:  # a directory of sockets
        return f"postgresql://{user}/{given.get('dbname', '')}"
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{user}{host}{port}/{given.get('dbname', '')}"
