"""Moves the rules of removed settings into the history, in portions."""

from typing import Final, TypeAlias

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.history import removed_rule
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.history import Recorded, write_changes_of_record
from heksherlite.service.storage.rule_rows import delete_rules_of, read_rules_of
from heksherlite.service.storage.writing import Writer

_PORTION: Final = 1_000
"""The number of rules that are moved while others wait. It takes some 50 ms."""

Progress: TypeAlias = tuple[int, int | None]
"""The id of a setting, and the lowest id of a rule that is still stored."""


class RuleRemoval:
    """Moves the rules of removed settings into the history.

    Every method raises `DatabaseUnavailableError` if the database cannot be used.

    Args:
        database: The database, already prepared.
        writer: The writer of the database.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def progress(self) -> Progress | None:
        """Return how far the removal has come, or None if nothing is left to be moved."""
        async with self._database.reading() as connection:
            setting_id = await connection.scalar(select(func.min(tables.removed_settings.c.setting_id)))
            if setting_id is None:
                return None
            rules = tables.rules.c
            first: int | None = await connection.scalar(
                select(func.min(rules.id)).where(rules.setting_id == setting_id)
            )
            return setting_id, first

    async def move_portion(self) -> bool:
        """Move some rules, and return whether there was something to do."""
        return await self._writer.write(move_portion)


async def move_portion(connection: AsyncConnection) -> bool:
    """Move some rules of a removed setting into the history, and remove the setting itself after its last rule.

    A portion that is interrupted is not moved at all, and is moved later, also by another service.

    Args:
        connection: A connection that holds the write lock.

    Returns:
        Whether there was something to do.
    """
    removed = tables.removed_settings
    row = (await connection.execute(select(removed).order_by(removed.c.setting_id).limit(1))).one_or_none()
    if row is None:
        return False
    rules = await read_rules_of(connection, row.setting_id, limit=_PORTION)
    if rules:
        changes = tables.history_changes.c
        last = select(func.max(changes.position)).where(changes.revision == row.revision)
        if await connection.scalar(select(tables.history.c.revision).where(tables.history.c.revision == row.revision)):
            position = await connection.scalar(last)
            moved = [removed_rule(row.setting_name, rule) for rule in rules]
            first_position = 0 if position is None else position + 1
            await write_changes_of_record(connection, row.revision, moved, Recorded(first_position))
        await delete_rules_of(connection, row.setting_id, [rule.id for rule in rules])
    if len(rules) < _PORTION:
        await connection.execute(delete(removed).where(removed.c.setting_id == row.setting_id))
        await connection.execute(delete(tables.settings).where(tables.settings.c.id == row.setting_id))
    return True
