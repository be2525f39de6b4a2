"""The store as one request uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from fastapi import Request

from heksherlite.service.api.author import cause_of
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.storage.history import History
from heksherlite.service.storage.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RequestStore:
    """A store whose writes go into the history as the request's.

    Args:
        store: The store.
        request: The request.
    """

    store: Store
    request: Request

    @property
    def catalog(self) -> Catalog:
        """What the service knows now."""
        return self.store.catalog

    @property
    def available(self) -> bool:
        """Whether the database could be reached at the last look."""
        return self.store.available

    @property
    def history(self) -> History:
        """What was written before."""
        return self.store.history

    async def at(self, moment: int | datetime) -> Catalog:
        """Do the same as `Store.at`."""
        return await self.store.at(moment)

    async def write(self, decide: Callable[[Catalog], Decision[T]], *, reverts: int | None = None) -> T:
        """Do the same as `Store.write`, for whoever makes the request.

        Args:
            decide: See there.
            reverts: The revision that the write undoes, if it does.
        """
        cause = await cause_of(self.request, reverts=reverts)
        return await self.store.write(decide, cause)
