"""The drafts of people in a database, where every replica finds them."""

from collections.abc import Callable
from functools import partial
from typing import Final

import orjson
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.operations import operation_from
from heksherlite.service.domain.drafts import Draft
from heksherlite.service.storage import tables
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.writing import Writer

_columns = tables.drafts.c

KEPT_SECONDS: Final = 90 * 86_400
"""How long a draft is kept after it was last changed."""


class Drafts:
    """The drafts of a database. They make no revision, because they change nothing that others see.

    Every method raises `DatabaseUnavailableError` if the database cannot be used.

    Args:
        database: The database.
        writer: The writer of the database.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def get(self, owner: str) -> Draft:
        """Return the draft of a person, which is empty if there is none."""
        async with self._database.reading() as connection:
            return await _read(connection, owner)

    async def change(self, owner: str, edit: Callable[[Draft], Draft], *, now: float) -> Draft:
        """Change the draft of a person, and delete drafts that were not changed for a long time.

        Args:
            owner: Who the person is.
            edit: Returns the new draft for the present one. It is called while nobody else can write.
            now: The time, in seconds since the epoch.

        Returns:
            The new draft.
        """
        return await self._writer.write(partial(_change, owner, edit, int(now)))


async def _read(connection: AsyncConnection, owner: str) -> Draft:
    content = await connection.scalar(select(_columns.content).where(_columns.owner == owner))
    if content is None:
        return Draft()
    stored = orjson.loads(content)
    return Draft(tuple([operation_from(each) for each in stored["operations"]]), stored["base_revision"])


async def _change(owner: str, edit: Callable[[Draft], Draft], now: int, connection: AsyncConnection) -> Draft:
    before = await _read(connection, owner)
    draft = edit(before)
    if draft == before:
        return draft
    outdated = _columns.changed_at < now - KEPT_SECONDS
    await connection.execute(delete(tables.drafts).where((_columns.owner == owner) | outdated))
    if draft.operations:
        content = {
            "operations": [operation.as_json() for operation in draft.operations],
            "base_revision": draft.base_revision,
        }
        row = {"owner": owner, "content": orjson.dumps(content).decode(), "changed_at": now}
        await connection.execute(insert(tables.drafts), row)
    return draft
