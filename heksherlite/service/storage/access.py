"""Tokens, applications, device codes, groups and sessions in the database, and the one way to change them."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.access.auditing import audit_events
from heksherlite.service.domain.access.state import AccessDecision, AccessState
from heksherlite.service.domain.audit import DatedEvent
from heksherlite.service.domain.authors import BY_SERVICE, Author, Cause
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.lineage import NONCE_BYTES
from heksherlite.service.storage.access_rows import (
    count_device_codes,
    encrypt_again,
    read_access_state,
    read_device_codes,
    read_sessions,
    read_waiting_codes,
    write_access_changes,
)
from heksherlite.service.storage.audit import write_events
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.encryption import cipher_from_environment
from heksherlite.service.storage.history import write_record
from heksherlite.service.storage.rows import read_counters, write_counters, write_revision
from heksherlite.service.storage.token_uses import TokenUses
from heksherlite.service.storage.writing import Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Which of the many device codes and sessions a decision needs.

    Attributes:
        code: The digest of a device code.
        session: The digest of a session.
        all_sessions: Whether all sessions are needed.
        codes_expired_before: Device codes that expired before this time are not counted, in seconds since the epoch.
    """

    code: bytes | None = None
    session: bytes | None = None
    all_sessions: bool = False
    codes_expired_before: int = 0


NOTHING_ELSE = Lookup()


async def _do_nothing() -> None:
    pass


class AccessStore:
    """Who may use the service, as it is stored in a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be used.

    Args:
        database: The database, already prepared.
        writer: What writes to it; None for a new one.
        after_write: Called after each write that makes a new revision.
        on_recorded: Called with the author and the size in characters of what a write adds to the history.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer | None = None,
        *,
        after_write: Callable[[], Awaitable[None]] = _do_nothing,
        on_recorded: Callable[[Author, int], object] = lambda *_: None,
    ) -> None:
        self._database = database
        self._writer = writer or Writer(database)
        self._cipher = cipher_from_environment()
        self.token_uses = TokenUses(database, self._writer)
        """When tokens were last used."""
        self._after_write = after_write
        self._on_recorded = on_recorded
        self._counters: Counters | None = None
        self._state = AccessState()

    @property
    def has_secrets_key(self) -> bool:
        """Whether secrets are stored encrypted."""
        return self._cipher.has_key

    async def rekey(self) -> int:
        """Encrypt all secrets with the first key, and return their number.

        Raises:
            DatabaseUnavailableError: The database cannot be used, or a secret is encrypted with an unknown key.
        """
        return await self._writer.write(partial(encrypt_again, cipher=self._cipher))

    async def read(self, lookup: Lookup = NOTHING_ELSE) -> AccessState:
        """Return the stored state, with the device codes and sessions that are looked up."""
        async with self._database.reading() as connection:
            return await self.newest(connection, await read_counters(connection), lookup)

    async def write(
        self,
        decide: Callable[[AccessState], AccessDecision[T]],
        cause: Cause = BY_SERVICE,
        lookup: Lookup = NOTHING_ELSE,
    ) -> T:
        """Decide on a write, and make it if there is something to change.

        Nobody waits for the write lock for the sake of a decision that changes nothing.

        Args:
            decide: Called with the stored state, and again while nobody else can write. What it raises is raised here,
                and nothing changes.
            cause: Who writes, and why.
            lookup: Which device codes and sessions the decision needs.

        Returns:
            The result of the decision, after the changes are committed.

        Raises:
            UnknownOutcomeError: The connection was lost during the commit; everything was written, or nothing.
        """
        decision = decide(await self.read(lookup))
        if decision.changes:
            decision = await self._writer.write(partial(self._write, decide, cause, lookup))
            if decision.changes.is_new_revision:
                await self._after_write()
        return decision.result

    async def waiting_codes(self, now: float, *, limit: int) -> list[DeviceCode]:
        """Return the newest device codes that nobody has decided on yet, the newest first.

        Args:
            now: The time, in seconds since the epoch.
            limit: The maximum number of codes.
        """
        async with self._database.reading() as connection:
            return await read_waiting_codes(connection, now, limit=limit)

    async def newest(
        self, connection: AsyncConnection, counters: Counters, lookup: Lookup = NOTHING_ELSE
    ) -> AccessState:
        """Return the state as a transaction sees it.

        Args:
            connection: A connection in a transaction.
            counters: The counters in this transaction.
            lookup: Which device codes and sessions to read.
        """
        if self._counters is None or _identity(self._counters) != _identity(counters):
            self._state, self._counters = await read_access_state(connection, self._cipher), counters
        state = self._state
        if lookup.code is not None:
            state = replace(
                state,
                device_codes=await read_device_codes(connection, lookup.code),
                device_code_count=await count_device_codes(connection, expired_before=lookup.codes_expired_before),
            )
        if lookup.session is not None or lookup.all_sessions:
            state = replace(state, sessions=await read_sessions(connection, lookup.session))
        return state

    async def _write(
        self,
        decide: Callable[[AccessState], AccessDecision[T]],
        cause: Cause,
        lookup: Lookup,
        connection: AsyncConnection,
    ) -> AccessDecision[T]:
        counters = await self._database.counters(connection)
        state = await self.newest(connection, counters, lookup)
        decision = decide(state)
        await write_access_changes(connection, state, decision.changes, self._cipher)
        now = self._database.now()
        await write_events(
            connection, [DatedEvent(now, event) for event in audit_events(state, decision.changes, cause)]
        )
        if decision.changes.is_new_revision:
            counters = counters.after_access_change(secrets.token_hex(NONCE_BYTES)).dated(now)
            await write_counters(connection, counters)
            await write_revision(connection, counters.revision_id)
            if decision.changes.history:
                recorded = await write_record(connection, counters, cause, decision.changes.history)
                self._on_recorded(cause.author, recorded.characters)
        return decision


def _identity(counters: Counters) -> tuple[object, ...]:
    return counters.database_id, counters.access_id, counters.features_id
