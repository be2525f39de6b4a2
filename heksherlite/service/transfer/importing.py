"""Putting an export into a database, as one write."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_fields
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.break_glass import break_glass_event
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.history import Change, added_rule, added_setting, changes_between
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.lineage import NONCE_BYTES, RevisionId
from heksherlite.service.domain.protection import require_unprotected
from heksherlite.service.errors import ConflictError, NotEmptyError, TakesTooLongError
from heksherlite.service.storage.audit import write_events
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.history import write_changes_of_record, write_record
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.rows import insert_settings, read_catalog, write_changes, write_counters
from heksherlite.service.storage.rule_removal import move_portion
from heksherlite.service.storage.rule_rows import insert_rules
from heksherlite.service.storage.writing import Writer
from heksherlite.service.transfer.lines import ExportReader

Write: TypeAlias = Callable[
    [Callable[[AsyncConnection, Catalog], Awaitable[RevisionId]]],
    Awaitable[RevisionId],
]
"""Does some work in a transaction, given what there is, once: an export can be read only once."""

SECONDS_OTHERS_WAIT: Final = 5.0
"""The time for which an import may keep others from writing, unless that is wanted: less than they wait."""

_EMPTY = Catalog(Counters(database_id=""))


def writing_to(database: Database) -> Write:
    """Return a function that writes to a database that no service of this process uses."""

    async def write(work: Callable[[AsyncConnection, Catalog], Awaitable[RevisionId]]) -> RevisionId:
        async def transaction(connection: AsyncConnection) -> RevisionId:
            return await work(connection, await read_catalog(connection))

        return await Writer(database).write(transaction, attempts=1)

    return write


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPolicy:
    """What an import may do.

    Attributes:
        replace: Whether to delete the existing settings first. Without it, there must be none.
        limits: The limits to stay within; None for whoever has the database itself.
        keeps_protected: Whether protected settings must not be deleted.
        max_seconds: The maximum time for which others wait with their writes; None for as long as it takes.
        base_revision: The name of the revision that there must still be; None for any.
    """

    replace: bool
    limits: Limits | None = None
    keeps_protected: bool = False
    max_seconds: float | None = None
    base_revision: str | None = None

    def making_room(self, catalog: Catalog, export: ExportReader) -> Changes:
        """Return the changes that come before the export.

        Raises:
            ConflictError: Something was changed since the base revision.
            NotEmptyError: There are settings, and they are not to be replaced.
            NotPermittedError: A protected setting would be deleted.
        """
        newest = catalog.counters.revision_id
        if self.base_revision not in {None, str(newest)}:
            raise ConflictError(f"something was changed since revision {self.base_revision}; the newest is {newest}")
        if catalog.entries and not self.replace:
            raise NotEmptyError(len(catalog.entries))
        features = None if export.context_features == catalog.context_features else export.context_features
        changes = Changes(context_features=features, removed_settings=frozenset(catalog.entries))
        if self.keeps_protected:
            require_unprotected(catalog, changes)
        return changes

    def read(
        self, export: ExportReader, *, last_setting_id: int, revision: RevisionId
    ) -> Iterator[Sequence[Setting | Rule]]:
        """Yield the settings and rules of an export in portions.

        Raises:
            ExportError: The export is malformed.
            ConflictError: There are too many settings or rules.
            TooLargeError: A value is too large.
        """
        for portion in portions(export.read(last_setting_id=last_setting_id, revision=revision)):
            if self.limits is not None:
                self.limits.check_counts(export.settings, export.rules)
                self.limits.check_values(_EMPTY, Changes(settings=_settings(portion), rules=_rules(portion)))
            yield portion


class _TimeLimit:
    """The end of the time for which others wait."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    def check(self) -> None:
        """Raise `TakesTooLongError` if the time is over."""
        if self._seconds is not None and time.monotonic() > self._began + self._seconds:
            raise TakesTooLongError(self._seconds)


def check_export(catalog: Catalog, export: ExportReader, policy: ImportPolicy) -> None:
    """Check all that an import checks, and store nothing.

    Args:
        catalog: What there is.
        export: The export.
        policy: What the import may do.

    Raises:
        ServiceError: As for `import_export`.
    """
    policy.making_room(catalog, export)
    counters = catalog.counters
    for _ in policy.read(export, last_setting_id=counters.last_setting_id, revision=counters.revision_id):
        continue


async def import_export(
    write: Write, export: ExportReader, cause: Cause, policy: ImportPolicy, *, now: datetime
) -> RevisionId:
    """Make the settings, rules and context features of an export those of a database, all of them or none.

    They are stored as they are read, so there may be any number. It is one write, with a record in the history, which
    services on the database notice like any other.

    Args:
        write: Writes to the database, which is already prepared.
        export: The export.
        cause: Who imports it, and why.
        policy: What the import may do.
        now: The time.

    Returns:
        The revision that the import made.

    Raises:
        NotEmptyError: There are settings, and they are not to be replaced.
        ExportError: The export is malformed.
        TakesTooLongError: Others would wait for too long.
        RequestError: A limit is exceeded, or a protected setting would be deleted.
        DatabaseUnavailableError: The database cannot be reached.
    """

    async def work(connection: AsyncConnection, catalog: Catalog) -> RevisionId:
        limit = _TimeLimit(policy.max_seconds)
        making_room = policy.making_room(catalog, export)
        while await move_portion(connection):  # the export may have rules with the ids of these
            limit.check()
        state = catalog.counters_after(making_room, secrets.token_hex(NONCE_BYTES)).dated(now)
        await write_changes(connection, catalog, making_room, state)
        await _store(connection, catalog, export, cause, policy, making_room, state, limit)
        if cause.break_glass:
            await write_events(connection, [break_glass_event(catalog, making_room, state, cause)])
        return state.revision_id

    return await write(work)


async def _store(
    connection: AsyncConnection,
    catalog: Catalog,
    export: ExportReader,
    cause: Cause,
    policy: ImportPolicy,
    making_room: Changes,
    state: Counters,
    limit: _TimeLimit,
) -> None:
    written = await write_record(connection, state, cause, changes_between(catalog, making_room))
    setting_name = ""
    last_setting_id = catalog.counters.last_setting_id
    for portion in policy.read(export, last_setting_id=last_setting_id, revision=state.revision_id):
        limit.check()
        changes: list[Change] = []
        for item in portion:
            if isinstance(item, Setting):
                setting_name, last_setting_id = item.name, item.id
                changes.append(added_setting(item))
            else:
                changes.append(added_rule(setting_name, item))
        await insert_settings(connection, _settings(portion))
        await insert_rules(connection, _rules(portion), state.revision)
        written = await write_changes_of_record(connection, state.revision, changes, written)
    last_rule_id = max(state.last_rule_id, export.last_rule_id)
    await write_counters(connection, with_fields(state, last_setting_id=last_setting_id, last_rule_id=last_rule_id))


def _settings(items: Sequence[Setting | Rule]) -> tuple[Setting, ...]:
    return tuple([item for item in items if isinstance(item, Setting)])


def _rules(items: Sequence[Setting | Rule]) -> tuple[Rule, ...]:
    return tuple([item for item in items if isinstance(item, Rule)])
