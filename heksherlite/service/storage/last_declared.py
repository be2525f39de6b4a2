"""When programs last declared each setting. It is written rarely, and no service reloads because of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.storage.database import Database
from heksherlite.service.storage.tables import setting_declarations, settings
from heksherlite.service.storage.writing import Writer

INTERVAL: Final = 3600
"""How long further declarations of a setting are not stored after one was stored, in seconds."""

_columns = setting_declarations.c


class LastDeclared:
    """When the settings of a database were last declared.

    Args:
        database: The database, already prepared.
        writer: What writes to it.

    Attributes:
        pending: When the settings were declared that are not stored yet, in seconds since the epoch, by the id of the
            setting. Requests add to it.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self.pending: dict[int, int] = {}
        self._database = database
        self._writer = writer
        self._stored: dict[int, int] = {}

    async def write_due(self) -> None:
        """Store when settings were declared, each at most once per `INTERVAL`.

        Raises:
            DatabaseUnavailableError: The database cannot be used; the times are stored later.
        """
        due = {
            setting_id: at
            for setting_id, at in self.pending.items()
            if at - self._stored.get(setting_id, -INTERVAL) >= INTERVAL
        }
        if due:

            async def write(connection: AsyncConnection) -> None:
                await _write(connection, due)

            await self._writer.write(write)
            self._stored.update(due)
        for setting_id, at in due.items():
            if self.pending.get(setting_id) == at:
                del self.pending[setting_id]

    async def of(self, setting_id: int) -> datetime | None:
        """Return when a setting was last declared, or None if no program declared it.

        Raises:
            DatabaseUnavailableError: The database cannot be used.
        """
        async with self._database.reading() as connection:
            known = await connection.scalar(select(_columns.declared_at).where(_columns.setting_id == setting_id))
        at = max(known or 0, self.pending.get(setting_id, 0))
        return datetime.fromtimestamp(at, UTC) if at else None

    async def all(self) -> Mapping[int, datetime]:
        """Return when each setting was last declared, by its id. Settings that no program declared are missing.

        Raises:
            DatabaseUnavailableError: The database cannot be used.
        """
        async with self._database.reading() as connection:
            known = {row.setting_id: row.declared_at for row in await connection.execute(select(setting_declarations))}
        for setting_id, at in self.pending.items():
            known[setting_id] = max(at, known.get(setting_id, 0))
        return {setting_id: datetime.fromtimestamp(at, UTC) for setting_id, at in known.items()}


async def _write(connection: AsyncConnection, due: Mapping[int, int]) -> None:
    wanted = sorted(due)
    existing = set(await connection.scalars(select(settings.c.id).where(settings.c.id.in_(wanted))))
    known = set(await connection.scalars(select(_columns.setting_id).where(_columns.setting_id.in_(wanted))))
    later = (
        update(setting_declarations)
        .where(_columns.setting_id == bindparam("of"), _columns.declared_at < bindparam("at"))
        .values(declared_at=bindparam("at"))
    )
    if known:
        await connection.execute(later, [{"of": setting_id, "at": due[setting_id]} for setting_id in known])
    if new := existing - known:
        rows = [{"setting_id": setting_id, "declared_at": due[setting_id]} for setting_id in new]
        await connection.execute(insert(setting_declarations), rows)
