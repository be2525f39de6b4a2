"""The rows of the history: written with each change, read for past states, and deleted when they are old."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import accumulate
from math import inf
from typing import Any, Final

import orjson
from sqlalchemy import Select, and_, delete, func, insert, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.history import Change, Record
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.lineage import Lineage, RevisionId
from heksherlite.service.domain.times import show_time
from heksherlite.service.errors import NotFoundError, TooManyChangesError
from heksherlite.service.storage import tables
from heksherlite.service.storage.bulk import insert_many
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.history_search import Search, change_conditions, record_conditions
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.removed_settings import count_stored_rules, stored_changes
from heksherlite.service.storage.rows import read_lineage
from heksherlite.service.storage.statements import Statements
from heksherlite.service.storage.writing import Writer

_history = tables.history.c
_changes = tables.history_changes.c

_INSERT_RECORD: Final = insert(tables.history)

_ROWS_AT_ONCE: Final = 1_000
"""The number of changes that are read before other requests get their turn."""

_PAGE_CHARACTERS: Final = 8 * 2**20
"""The maximum size of the changes on a page of records, in bytes of JSON."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of records, the newest first, and whether there are more."""

    records: tuple[Record, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many changes a record has so far, and their size in characters of JSON."""

    changes: int = 0
    characters: int = 0


async def write_record(statements: Statements, counters: Counters, cause: Cause, changes: Iterable[Change]) -> Recorded:
    """Store the record of a write, in its transaction.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        counters: The counters after the write.
        cause: The author of the write and the reason.
        changes: The changes.

    Returns:
        What the record has.
    """
    author = cause.author
    row = {
        "revision": counters.revision,
        "time": counters.changed_at,
        "author_kind": author.kind,
        "author_name": author.name,
        "author_id": author.id,
        "address": author.address,
        "reason": cause.reason,
        "reverts": cause.reverts,
        "break_glass": cause.break_glass,
    }
    await statements.execute(_INSERT_RECORD, row)
    return await write_changes_of_record(statements, counters.revision, changes)


async def write_changes_of_record(
    statements: Statements,
    revision: int,
    changes: Iterable[Change],
    before: Recorded = Recorded(),
) -> Recorded:
    """Store changes of a write, after its record and the changes that are stored already.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        revision: The revision of the write.
        changes: The changes.
        before: What the record has already.

    Returns:
        What the record has then.
    """
    stored, characters = before.changes, before.characters
    for portion in portions(enumerate(changes, stored)):
        rows: list[dict[str, Any]] = [
            {
                "revision": revision,
                "position": position,
                "setting_id": change.setting_id,
                "rule_id": change.rule_id,
                "setting_name": change.setting_name,
                "before": _text(change.before),
                "after": _text(change.after),
                "subject": change.subject,
                "subject_name": change.subject_name,
            }
            for position, change in portion
        ]
        await insert_many(statements, tables.history_changes, rows)
        stored += len(rows)
        characters += sum(len(row["before"] or "") + len(row["after"] or "") for row in rows)
    return Recorded(stored, characters)


class History:
    """The history of a database, for reading.

    Every method raises `DatabaseUnavailableError` if the database cannot be reached.

    Args:
        database: The database.
        writer: The writer of the database.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def search(self, search: Search, *, changes_per_record: int) -> Page:
        """Return a page of records: fewer than the limit if they are large, but at least one if one matches.

        Args:
            search: The search. If it names a setting or a rule, the records only contain changes of that.
            changes_per_record: The maximum number of changes to read for each record.
        """
        shown = change_conditions(search)
        query = select(tables.history).where(_is_whole, *record_conditions(search))
        if shown:
            query = query.where(_history.revision.in_(select(_changes.revision).where(*shown)))
        query = query.order_by(_history.revision.desc()).limit(search.limit + 1)
        ranked = _ranked([*tables.history_changes.c], by=_changes.revision, order=_changes.position).where(*shown)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            totals = await _totals(connection, [row.revision for row in rows])
            characters = accumulate(totals[row.revision].characters for row in rows[: search.limit])
            fitting = max(1, sum(total <= _PAGE_CHARACTERS for total in characters))
            records = await _records(connection, rows[:fitting], totals, _up_to(changes_per_record, ranked))
        return Page(records, more=len(rows) > fitting)

    async def changes_of_setting(
        self, setting_id: int, *, until: int, limit: int
    ) -> tuple[list[tuple[int, Change]], bool]:
        """Return the latest changes of a setting, of its rules, and of the order of the context features.

        Args:
            setting_id: The id of the setting.
            until: The newest revision to look at.
            limit: The maximum number of changes to read.

        Returns:
            The changes with their revisions, the newest first, with all changes of each revision; and whether there
            are earlier ones.
        """
        is_order = and_(_changes.setting_id.is_(None), _changes.subject.is_(None))
        query = (
            select(tables.history_changes)
            .where(_changes.revision <= until, or_(_changes.setting_id == setting_id, is_order))
            .order_by(_changes.revision.desc(), _changes.position.desc())
            .limit(limit + 1)
        )
        async with self._database.reading() as connection:
            found = [(row.revision, _change(row)) async for row in _in_portions(connection, query)]
        if len(found) <= limit:
            return found, False
        incomplete = found[-1][0]
        return [each for each in found if each[0] != incomplete], True

    async def headers(self, revisions: Collection[int]) -> Mapping[int, Record]:
        """Return the records of some revisions without their changes, as far as the history has them."""
        records = {}
        async with self._database.reading() as connection:
            for portion in portions(revisions):
                query = select(tables.history).where(_history.revision.in_(portion))
                for row in (await connection.execute(query)).all():
                    records[row.revision] = Record(row.revision, row.time, _cause(row), 0, ())
        return records

    async def record(self, revision: int, *, most_changes: float = inf) -> Record:
        """Return a record with all its changes.

        Args:
            revision: The revision of the record.
            most_changes: The maximum number of changes to read.

        Raises:
            NotFoundError: There is no such record.
            TooManyChangesError: It has more changes.
        """
        query = select(tables.history).where(_history.revision == revision, _is_whole)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            if not rows:
                raise NotFoundError(f"the history has no revision {revision}")
            totals = await _totals(connection, [revision])
            if (count := totals[revision].change_count) > most_changes:
                raise TooManyChangesError(revision, count)
            (record,) = await _records(connection, rows, totals, select(tables.history_changes))
            still_stored = [change async for _, change in stored_changes(connection, first=revision, last=revision)]
        return replace(record, changes=(*record.changes, *still_stored))

    async def revision_at(self, time: datetime) -> int:
        """Return the newest revision at a time.

        Raises:
            NotFoundError: The history does not go back so far.
        """
        async with self._database.reading() as connection:
            latest = select(func.max(_history.revision)).where(_history.time <= time)
            revision: int | None = await connection.scalar(latest)
            if revision is not None:
                return revision
            first = (await connection.execute(_first)).one_or_none()
        if first is not None and first.revision == 1:
            return 0
        begins = "is empty" if first is None else f"begins at {show_time(first.time)}"
        raise NotFoundError(f"what was at {show_time(time)} is not known: the history {begins}")

    async def changes_to_undo(self, *, after: int, until: RevisionId) -> list[Change] | None:
        """Return, of everything that changed between two revisions, its first change after the earlier one.

        Returns:
            The changes, or None if the later revision is not one of the database, as after it was put back.

        Raises:
            NotFoundError: The history does not go back so far.
        """
        subject = [_changes.setting_id, _changes.rule_id]
        ranked = _ranked([*subject, _changes.before], by=subject, order=_changes.revision)
        between = ranked.where(_changes.revision > after, _changes.revision <= until.number, _changes.subject.is_(None))
        async with self._database.reading() as connection:
            if await read_lineage(connection, Lineage(), until) is None:
                return None
            first = (await connection.execute(_first)).one_or_none()
            if first is None or first.revision > after + 1:
                begins = until.number if first is None else first.revision - 1
                raise NotFoundError(f"revision {after} is not known any more: the history begins at {begins}")
            rows = _in_portions(connection, _up_to(1, between))
            undone = [Change(row.setting_id, row.rule_id, None, _json(row.before), None) async for row in rows]
            changed_earlier = {change.rule_id for change in undone}
            async for _, change in stored_changes(connection, first=after + 1, last=until.number):
                if change.rule_id not in changed_earlier:
                    undone.append(change)
            return undone

    async def prune(self, before: datetime) -> None:
        """Delete records before a time, except those that are needed to restore the state at that time."""
        async with self._database.reading() as connection:
            first = await connection.scalar(select(func.min(_history.revision)))
            kept = await connection.scalar(select(func.max(_history.revision)).where(_history.time < before))
        if first is None or kept is None:
            return
        while first < kept:
            first = min(first + _ROWS_AT_ONCE, kept)
            while await self._writer.write(partial(_delete_changes_before, first)):
                continue
            await self._writer.write(partial(_delete_before, first))


async def _delete_changes_before(revision: int, connection: AsyncConnection) -> bool:
    """Delete some changes, the earliest first, and return whether there are more before a revision."""
    key = (_changes.revision, _changes.position)
    earlier = select(*key).where(_changes.revision < revision).order_by(*key)
    next_row = (await connection.execute(earlier.limit(1).offset(_ROWS_AT_ONCE))).one_or_none()
    if next_row is None:
        return False
    await connection.execute(delete(tables.history_changes).where(tuple_(*key) < tuple_(*next_row)))
    return True


async def _delete_before(revision: int, connection: AsyncConnection) -> None:
    await connection.execute(delete(tables.history_changes).where(_changes.revision < revision))
    await connection.execute(delete(tables.history).where(_history.revision < revision))


# Of a record that is being deleted, the first changes are deleted first.
_is_whole = select(_changes.position).where(_changes.revision == _history.revision, _changes.position == 0).exists()
_first = select(_history.revision, _history.time).where(_is_whole).order_by(_history.revision).limit(1)


def _ranked(columns: list[Any], *, by: Any, order: Any) -> Any:
    return select(*columns, func.row_number().over(partition_by=by, order_by=order).label("rank"))


def _up_to(rank: int, ranked: Select[Any]) -> Select[Any]:
    rows = ranked.subquery()
    return select(rows).where(rows.c.rank <= rank)


@dataclass(frozen=True, slots=True)
class _Total:
    change_count: int
    characters: int


async def _totals(connection: AsyncConnection, revisions: Sequence[int]) -> dict[int, _Total]:
    """Return the number of changes and their size in JSON for each revision."""
    characters = func.coalesce(func.length(_changes.before), 0) + func.coalesce(func.length(_changes.after), 0)
    totals = select(
        _changes.revision, func.count().label("change_count"), func.sum(characters).label("characters")
    ).where(_changes.revision.in_(revisions))
    rows = (await connection.execute(totals.group_by(_changes.revision))).all()
    still_stored = await count_stored_rules(connection, revisions)
    return {row.revision: _Total(row.change_count + still_stored.get(row.revision, 0), row.characters) for row in rows}


async def _records(
    connection: AsyncConnection, rows: Sequence[Any], totals: dict[int, _Total], changes_query: Select[Any]
) -> tuple[Record, ...]:
    changes = await _changes_of(connection, [row.revision for row in rows], changes_query)
    return tuple(
        Record(
            revision=row.revision,
            time=row.time,
            cause=_cause(row),
            change_count=totals[row.revision].change_count,
            changes=tuple(changes[row.revision]),
        )
        for row in rows
    )


def _cause(row: Any) -> Cause:
    author = Author(row.author_kind, row.author_name, row.address, row.author_id)
    return Cause(author, row.reason, row.reverts, row.break_glass)


async def _changes_of(
    connection: AsyncConnection, revisions: Sequence[int], query: Select[Any]
) -> dict[int, list[Change]]:
    column = query.selected_columns
    changes: dict[int, list[Change]] = {revision: [] for revision in revisions}
    query = query.where(column.revision.in_(revisions)).order_by(column.revision, column.position)
    async for row in _in_portions(connection, query):
        changes[row.revision].append(_change(row))
    return changes


def _change(row: Any) -> Change:
    before, after = _json(row.before), _json(row.after)
    about = (row.subject, row.subject_name)
    return Change(row.setting_id, row.rule_id, row.setting_name, before, after, *about)


async def _in_portions(connection: AsyncConnection, query: Select[Any]) -> AsyncIterator[Any]:
    async with connection.stream(query) as rows:
        async for portion in rows.partitions(_ROWS_AT_ONCE):
            for row in portion:
                yield row


def _text(value: Json) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _json(text: str | None) -> Json:
    return None if text is None else orjson.loads(text)
