"""The catalog as it was at an earlier revision or time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.history import as_of
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.errors import NotCaughtUpError, NotFoundError
from heksherlite.service.storage.history import History

_ATTEMPTS: Final = 3


class PastCatalogs:
    """Makes past catalogs from the newest one and the history.

    Args:
        history: The history of the database.
        newest: Returns the catalog in memory.
        load: Brings the catalog in memory up to date.
    """

    def __init__(self, history: History, newest: Callable[[], Catalog], load: Callable[[], Awaitable[object]]) -> None:
        self._history = history
        self._newest = newest
        self._load = load
        self._lock = asyncio.Lock()
        self._latest: Catalog | None = None  # kept because requests for a past state come in series

    async def at(self, moment: int | RevisionId | datetime) -> Catalog:
        """Return the catalog as it was at a revision or at a time.

        Args:
            moment: The number of a revision, or its name, or a time.

        Raises:
            NotFoundError: There is no such revision, or the history does not go back so far.
            DatabaseUnavailableError: The database cannot be reached.
        """
        number = await self._history.revision_at(moment) if isinstance(moment, datetime) else moment
        name = None
        if isinstance(number, RevisionId):
            name, number = number, number.number
        newest = self._newest()
        if number > newest.counters.revision or (name is not None and newest.lineage.excludes(name)):
            await self._load()
        async with self._lock:
            for _ in range(_ATTEMPTS):
                catalog = self._newest()
                if name is not None and name not in catalog.lineage:
                    raise NotFoundError(f"there is no revision {name}; the newest is {catalog.counters.revision_id}")
                past = await self._look_back(catalog, number)
                if past is not None:
                    return past
                await self._load()
        raise NotCaughtUpError("the database is exchanged all the time")

    async def _look_back(self, catalog: Catalog, number: int) -> Catalog | None:
        """Return a catalog at an earlier revision, or None if the database no longer has it."""
        newest = catalog.counters.revision_id
        if number > newest.number:
            raise NotFoundError(f"there is no revision {number} yet; the newest is {newest.number}")
        if number == newest.number:
            return catalog
        # The name of a very old revision is forgotten. The nonce of the newest one still tells the lineage.
        revision = catalog.lineage.revision(number) or RevisionId(number, newest.nonce)
        known = self._latest
        if known is not None and (known.counters.database_id, known.counters.revision_id) == (
            catalog.counters.database_id,
            revision,
        ):
            return known
        undone = await self._history.changes_to_undo(after=number, until=newest)
        if undone is None:
            return None
        self._latest = await asyncio.to_thread(as_of, catalog, undone, revision)
        return self._latest
