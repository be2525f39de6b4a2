"""The catalog in memory, and all writes to it."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.authors import BY_SERVICE, Author, Cause
from heksherlite.service.domain.break_glass import break_glass_event
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.history import changes_between
from heksherlite.service.domain.lineage import NONCE_BYTES, RevisionId
from heksherlite.service.domain.signing_keys import SigningKeys
from heksherlite.service.domain.tokens import Tokens
from heksherlite.service.errors import DatabaseUnavailableError, NotCaughtUpError
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.audit import AuditLog, write_events
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.device_codes import DeviceCodes
from heksherlite.service.storage.drafts import Drafts
from heksherlite.service.storage.groups import Groups
from heksherlite.service.storage.heartbeat import Heartbeat
from heksherlite.service.storage.history import History, write_record
from heksherlite.service.storage.last_declared import LastDeclared
from heksherlite.service.storage.past_catalogs import PastCatalogs
from heksherlite.service.storage.proposals import Proposals
from heksherlite.service.storage.removed_settings import require_deleted, too_large
from heksherlite.service.storage.replicas import Replica
from heksherlite.service.storage.rows import (
    read_changes,
    read_counters,
    read_lineage,
    read_strict_declarations,
    read_whole_lineage,
    write_changes,
)
from heksherlite.service.storage.rule_removal import RuleRemoval
from heksherlite.service.storage.rule_rows import count_rules_since
from heksherlite.service.storage.sessions import Sessions
from heksherlite.service.storage.writing import Writer

T = TypeVar("T")

_CATCH_UP_SECONDS = 1.0
_ATTEMPTS_TO_CATCH_UP = 3
_MOST_RULES_BEHIND = 10_000


class Store:
    """The settings and rules of a database, in memory.

    Reads come from `catalog`, which is replaced as a whole after each write, here or by another process. It
    is empty until `load`.

    Args:
        database: The database, already prepared.
        poll_interval: The seconds between polls for writes of other processes.
        check_interval: The seconds between checks that the database can be reached.
    """

    def __init__(self, database: Database, *, poll_interval: float = 0.5, check_interval: float = 5.0) -> None:
        self.catalog = Catalog(Counters(database_id=""))
        self.on_replaced: Callable[[Catalog], object] = lambda _: None
        """Called with each new catalog."""
        self.on_recorded: Callable[[Author, int], object] = lambda *_: None
        """Called with the author and the size in characters of what each write adds to the history."""
        self._writer = Writer(database)
        self._writer.on_failure = self._check_soon
        self.availability = self._writer.availability
        self.history = History(database, self._writer)
        self.audit = AuditLog(database, self._writer)
        self.proposals = Proposals(database, self._writer)
        self.rule_removal = RuleRemoval(database, self._writer)
        self.rules_are_hidden = asyncio.Event()
        """Set when a write has removed a setting whose rules are still to be deleted."""
        self.drafts = Drafts(database, self._writer)
        self.last_declared = LastDeclared(database, self._writer)
        self.writes = 0
        """The number of writes that this process has committed."""
        self.newest_at = time.monotonic()
        """When the catalog was last known to be the newest, on the monotonic clock."""
        self.access = AccessStore(
            database,
            self._writer,
            after_write=self._reload_after_write,
            on_recorded=lambda author, size: self.on_recorded(author, size),  # noqa: PLW0108  # it is set later
        )
        self.applications = Applications(self.access)
        self.device_codes = DeviceCodes(self.access)
        self.groups = Groups(self.access)
        self.sessions = Sessions(self.access)
        self._tokens: Tokens = {}
        self._revoked_access_tokens: Mapping[bytes, int] = {}
        self._signing_keys = SigningKeys()
        self.strict_declarations = False
        """Whether the database was made for services that check the rights of declarers."""
        self._database = database
        self._poll_interval = poll_interval
        self._check_interval = check_interval
        self._check_at = 0.0
        self._behind = False
        self._heartbeat = Heartbeat()
        self._next_load: asyncio.Task[None] | None = None  # one that has not begun to read yet
        self._past_catalogs = PastCatalogs(self.history, lambda: self.catalog, self.load)

    @property
    def available(self) -> bool:
        """Whether the database was reachable at the last check."""
        return self.availability.reachable

    @property
    def revoked_access_tokens(self) -> Mapping[bytes, int]:
        """When each revoked access token expires, by the digest of the access token, as of the catalog."""
        return self._revoked_access_tokens

    @property
    def tokens(self) -> Tokens:
        """All tokens, including those of applications, as of the catalog."""
        return self._tokens

    @property
    def lag(self) -> float:
        """The seconds since the catalog was known to be the newest. Normally at most the poll interval."""
        return time.monotonic() - self.newest_at

    @property
    def location(self) -> str:
        """The location of the database, for people."""
        return self._database.location

    async def replicas(self) -> Sequence[Replica] | None:
        """Do the same as `Database.replicas`."""
        return await self._database.replicas()

    def now(self) -> datetime:
        """Return the time of the clock that all services on the database agree on."""
        return self._database.now()

    @property
    def signing_keys(self) -> Sequence[str]:
        """The random keys that all services on the database share, for signatures; the last one is the current one."""
        return self._signing_keys.accepted(self.now().timestamp())

    async def load(self) -> None:
        """Read the catalog, or what changed since the last read.

        Raises:
            DatabaseUnavailableError: The database cannot be reached.
        """
        async with self._writer.lock:
            self._next_load = None
            now = time.monotonic()
            async with self._database.reading() as connection:
                self._replace(await self._newest(connection, await read_counters(connection)))
            self.newest_at = now
            self._heartbeat.resume()

    async def catch_up(self) -> None:
        """Read what changed, after a client has shown that there is a newer revision.

        Those who ask at the same time share a look at the database.

        Raises:
            NotCaughtUpError: The database cannot be reached, or does not respond within a second.
        """
        if not self.available:
            raise NotCaughtUpError("the database could not be reached at the last check")
        if self._next_load is None:
            self._next_load = asyncio.create_task(self.load())
            self._next_load.add_done_callback(self._check_if_failed)
        loading = self._next_load
        await asyncio.wait([loading], timeout=_CATCH_UP_SECONDS)
        if not loading.done() or loading.exception() is not None:
            raise NotCaughtUpError("the database does not respond")

    async def catch_up_after_pause(self) -> None:
        """Read what changed if the process did not run for a while, as when it or its machine was suspended.

        While the database is away, nothing happens: reads are served from memory then.

        Raises:
            NotCaughtUpError: The database does not respond within a second.
        """
        if self._heartbeat.was_paused and self.available:
            await self.catch_up()

    async def write(self, decide: Callable[[Catalog], Decision[T]], cause: Cause = BY_SERVICE) -> T:
        """Decide on a write, and make it if there is something to change.

        What changes goes into the history in the same transaction.

        Args:
            decide: Called with an up-to-date catalog while no other write can happen. If it raises an exception,
                nothing is written, and the exception is raised.
            cause: The author of the write and the reason.

        Returns:
            The result of the decision, after the changes are committed.

        Raises:
            DatabaseUnavailableError: The database cannot be reached; nothing changes.
            UnknownOutcomeError: The connection was lost during the commit; everything was written, or nothing.
        """
        work = partial(self._write, decide, cause)
        written = await self._after_catching_up(lambda: self._writer.write(work, committed=self._committed))
        return written.decision.result

    async def write_once(self, work: Callable[[AsyncConnection, Catalog], Awaitable[T]]) -> T:
        """Do some work in a transaction, which is not repeated if it is interrupted, and read what it changed.

        Args:
            work: What to do, given an up-to-date catalog.

        Returns:
            What the work returned.

        Raises:
            DatabaseUnavailableError: The database cannot be reached; nothing changes.
            UnknownOutcomeError: The connection was lost during the commit; everything was written, or nothing.
        """

        async def transaction(connection: AsyncConnection) -> T:
            return await work(connection, await self._newest_for_write(connection))

        result = await self._after_catching_up(lambda: self._writer.write(transaction, attempts=1))
        self.writes += 1
        await self._reload_after_write()
        return result

    async def at(self, moment: int | RevisionId | datetime) -> Catalog:
        """Do the same as `PastCatalogs.at`."""
        return await self._past_catalogs.at(moment)

    async def close(self) -> None:
        """Close the database after the current writes."""
        async with self._writer.lock:
            await self._database.close()

    async def _after_catching_up(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write, and read before that what others wrote if it is so much that they would have to wait."""
        for _ in range(_ATTEMPTS_TO_CATCH_UP):
            with suppress(_FarBehindError):
                return await write()
            await self.load()
        raise NotCaughtUpError("others write more than can be read")

    async def _newest_for_write(self, connection: AsyncConnection) -> Catalog:
        counters, known = await self._database.counters(connection), self.catalog.counters
        if counters != known:
            since = known.revision if counters.database_id == known.database_id else 0
            if await count_rules_since(connection, since, limit=_MOST_RULES_BEHIND + 1) > _MOST_RULES_BEHIND:
                raise _FarBehindError
        return await self._newest(connection, counters)

    async def _write(
        self, decide: Callable[[Catalog], Decision[T]], cause: Cause, connection: AsyncConnection
    ) -> "_Written[T]":
        catalog = await self._newest_for_write(connection)
        decision = decide(catalog)
        if not decision.changes:
            return _Written(decision, catalog)
        counters = catalog.counters_after(decision.changes, secrets.token_hex(NONCE_BYTES)).dated(self._database.now())
        changes = decision.changes.at(counters.revision_id)
        await require_deleted(connection, catalog, changes)
        hidden = too_large(catalog, changes)
        async with self._database.batching(connection) as statements:
            await write_changes(statements, catalog, changes, counters, hidden=hidden)
            told = changes_between(catalog, changes, without_rules_of=hidden)
            recorded = await write_record(statements, counters, cause, told)
        self.on_recorded(cause.author, recorded.characters)
        if hidden:
            self.rules_are_hidden.set()
        if cause.break_glass:
            await write_events(connection, [break_glass_event(catalog, changes, counters, cause)])
        return _Written(decision, catalog.after(changes, counters))

    def _committed(self, written: "_Written[T]") -> None:
        self.writes += bool(written.decision.changes)
        self._replace(written.catalog)

    async def follow(self, until: asyncio.Event) -> None:
        """Poll for changes and check the database until an event is set. Run this as a task, and do not cancel it."""
        self._check_at = time.monotonic() + self._check_interval
        self._heartbeat.start()
        while not until.is_set():
            self._database.wake_up.clear()
            began = self.availability.now()
            try:
                if not self.available or time.monotonic() >= self._check_at:
                    self._check_at = time.monotonic() + self._check_interval
                    await self._database.check()
                    self.availability.reached(began)
                now = time.monotonic()
                self._behind = await self._database.has_changes() or self._behind
                if self._behind:
                    await self.load()
                    self._behind = False
                self.newest_at = max(now, self.newest_at)
            except DatabaseUnavailableError as error:
                self.availability.lost(error, began)
            await first_of(until, self._database.wake_up, seconds=self._poll_interval)
        self._heartbeat.stop()

    async def _reload_after_write(self) -> None:
        self._behind = True
        try:
            await self.load()
        except DatabaseUnavailableError:
            self._check_soon()  # the write is committed; the follower reads it as soon as it can

    async def _newest(self, connection: AsyncConnection, counters: Counters) -> Catalog:
        catalog = self.catalog
        if counters == catalog.counters:
            return catalog
        lineage = None
        if counters.database_id == catalog.counters.database_id:
            lineage = await read_lineage(connection, catalog.lineage, catalog.counters.revision_id)
        if lineage is None or counters.access_id != catalog.counters.access_id:
            access = await self.access.newest(connection, counters)
            self._tokens, self._revoked_access_tokens = access.all_tokens(), access.revoked_access_tokens
            self._signing_keys = access.signing_keys
        if lineage is None:  # the first read, or the database was replaced, restored, or lost transactions
            self.strict_declarations = await read_strict_declarations(connection)
            catalog = Catalog(Counters(counters.database_id))
            lineage = await read_whole_lineage(connection)
        return catalog.after(await read_changes(connection, since=catalog.counters), counters, lineage)

    def _replace(self, catalog: Catalog) -> None:
        if catalog is not self.catalog:
            self.catalog = catalog
            self.on_replaced(catalog)

    def _check_if_failed(self, loading: asyncio.Task[None]) -> None:
        if not loading.cancelled() and loading.exception() is not None:
            self._check_soon()

    def _check_soon(self) -> None:
        self._check_at = time.monotonic()
        self._database.wake_up.set()


class _FarBehindError(Exception):
    """A transaction that would read so much that others wait for it was given up."""


@dataclass(frozen=True, slots=True)
class _Written(Generic[T]):
    decision: Decision[T]
    catalog: Catalog


async def first_of(*events: asyncio.Event, seconds: float) -> None:
    """Return when one of some events is set, or after some seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
