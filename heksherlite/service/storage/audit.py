"""The rows of the audit record: only added, and deleted when they are old."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.audit import Action, AuditEvent, AuditOutcome, AuditRecord, DatedEvent
from heksherlite.service.domain.authors import Author
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.writing import Writer

_audit = tables.audit.c

_ROWS_AT_ONCE: Final = 1_000
"""The maximum number of records that are deleted before others can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """A search for records. None means no restriction.

    Attributes:
        action: Only this action.
        outcome: Only this outcome.
        actor_kind: Only actors of this kind.
        actor_id: Only the actor with this id.
        address: Only requests from this address.
        subject: Only what was done to the subject with this id.
        since: Only at this time or later.
        until: Only before this time.
        after: Only records with a higher id.
        before: Only records with a lower id.
    """

    action: Action | None = None
    outcome: AuditOutcome | None = None
    actor_kind: str | None = None
    actor_id: str | None = None
    address: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None


async def write_events(connection: AsyncConnection, events: Iterable[DatedEvent]) -> None:
    """Store events.

    Args:
        connection: A connection that holds the write lock. If events belong to a write, it is in its transaction.
        events: The events.
    """
    rows = [_row(dated) for dated in events]
    if rows:
        await connection.execute(insert(tables.audit), rows)


class AuditLog:
    """The audit record of a database.

    Every method raises `DatabaseUnavailableError` if the database cannot be used.

    Args:
        database: The database.
        writer: The writer of the database.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def append(self, events: Sequence[DatedEvent]) -> None:
        """Store events that belong to no other write."""

        async def work(connection: AsyncConnection) -> None:
            await write_events(connection, events)

        await self._writer.write(work)

    async def search(self, search: AuditSearch, *, limit: int, oldest_first: bool = False) -> list[AuditRecord]:
        """Return records.

        Args:
            search: The search.
            limit: The maximum number of records.
            oldest_first: Whether the oldest ones come first instead of the newest.
        """
        order = _audit.id if oldest_first else _audit.id.desc()
        query = select(tables.audit).where(*_conditions(search)).order_by(order).limit(limit)
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def prune(self, *, before: datetime | None, most_denials: int) -> None:
        """Delete old records.

        Args:
            before: Records before this time are deleted; None for none.
            most_denials: The number of denials to keep, the newest ones.
        """
        denied = _audit.outcome == AuditOutcome.DENIED.value
        newest = select(_audit.id).where(denied).order_by(_audit.id.desc()).offset(most_denials).limit(1)
        async with self._database.reading() as connection:
            last_excess: int | None = await connection.scalar(newest)
            last_old: int | None = None
            if before is not None:
                last_old = await connection.scalar(select(func.max(_audit.id)).where(_audit.time < before))
        if last_excess is None and last_old is None:
            return

        if last_excess is not None:
            await self._delete(denied, _audit.id <= last_excess)
        if last_old is not None:
            await self._delete(_audit.id <= last_old, _audit.time < before)

    async def _delete(self, *where: ColumnElement[bool]) -> None:
        """Delete records in portions, between which others can write."""
        while await self._writer.write(partial(_delete_portion, where)):
            continue


async def _delete_portion(where: Sequence[ColumnElement[bool]], connection: AsyncConnection) -> bool:
    """Delete some records, the oldest first, and return whether there may be more."""
    ids = (await connection.scalars(select(_audit.id).where(*where).order_by(_audit.id).limit(_ROWS_AT_ONCE))).all()
    if ids:
        await connection.execute(delete(tables.audit).where(*where, _audit.id <= ids[-1]))
    return len(ids) == _ROWS_AT_ONCE


def _conditions(search: AuditSearch) -> list[ColumnElement[bool]]:
    wanted = [
        (_audit.action, search.action and search.action.value),
        (_audit.outcome, search.outcome and search.outcome.value),
        (_audit.actor_kind, search.actor_kind),
        (_audit.actor_id, search.actor_id),
        (_audit.address, search.address),
        (_audit.subject, search.subject),
    ]
    conditions: list[ColumnElement[bool]] = [column == value for column, value in wanted if value is not None]
    if search.since is not None:
        conditions.append(_audit.time >= search.since)
    if search.until is not None:
        conditions.append(_audit.time < search.until)
    if search.after is not None:
        conditions.append(_audit.id > search.after)
    if search.before is not None:
        conditions.append(_audit.id < search.before)
    return conditions


def _row(dated: DatedEvent) -> dict[str, Any]:
    event = dated.event
    return {
        "time": dated.time,
        "action": event.action.value,
        "outcome": event.outcome.value,
        "actor_kind": event.actor.kind,
        "actor_id": event.actor.id,
        "actor_name": event.actor.name,
        "address": event.actor.address,
        "subject": event.subject,
        "details": orjson.dumps(dict(event.details)).decode(),
        "count": event.count,
    }


def _record(row: Any) -> AuditRecord:
    event = AuditEvent(
        action=Action(row.action),
        outcome=AuditOutcome(row.outcome),
        actor=Author(row.actor_kind, row.actor_name, row.address, row.actor_id),
        subject=row.subject,
        details=orjson.loads(row.details),
        count=row.count,
    )
    return AuditRecord(row.id, DatedEvent(row.time, event))
