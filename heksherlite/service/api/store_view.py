"""The store as a request may use it: limited to some settings, and in how much it takes in."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from fastapi import Request

from heksherlite.service.api.author import cause_of
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.limits import Limits
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.device_codes import DeviceCodes
from heksherlite.service.storage.groups import Groups
from heksherlite.service.storage.history import History
from heksherlite.service.storage.store import Store

T = TypeVar("T")


class LimitedCatalogs:
    """Remembers how the latest catalog looks when it is limited to some settings."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._limited: dict[str, Catalog] = {}

    def of(self, catalog: Catalog, setting_prefix: str) -> Catalog:
        """Return a catalog limited to settings whose names begin like this."""
        if not setting_prefix:
            return catalog
        if catalog is not self._catalog:
            self._catalog, self._limited = catalog, {}
        if setting_prefix not in self._limited:
            self._limited[setting_prefix] = catalog.limited_to(setting_prefix)
        return self._limited[setting_prefix]


class StoreView:
    """What a request may see and change.

    Args:
        store: The store with all settings.
        limits: What writes must not go beyond.
        limited_catalogs: What all views of the store have in common.
        request: The request, that was let in: its token may limit it to some settings, and what it changes goes into
            the history as its own.
    """

    def __init__(self, store: Store, limits: Limits, limited_catalogs: LimitedCatalogs, request: Request) -> None:
        self._store = store
        self._limits = limits
        self._limited_catalogs = limited_catalogs
        self._request = request
        self._setting_prefix: str = request.state.identity.setting_prefix

    @property
    def catalog(self) -> Catalog:
        """The settings that there are."""
        return self._limited_catalogs.of(self._store.catalog, self._setting_prefix)

    @property
    def available(self) -> bool:
        """Whether the database could be reached at the last look."""
        return self._store.available

    @property
    def lag(self) -> float:
        """The same as `Store.lag`."""
        return self._store.lag

    async def catch_up(self) -> None:
        """Do the same as `Store.catch_up`."""
        await self._store.catch_up()

    @property
    def history(self) -> History:
        """What was written before, about whatever settings."""
        return self._store.history

    @property
    def applications(self) -> Applications:
        """The applications that were let in."""
        return self._store.applications

    @property
    def device_codes(self) -> DeviceCodes:
        """The codes that people decide on."""
        return self._store.device_codes

    @property
    def groups(self) -> Groups:
        """The configuration groups."""
        return self._store.groups

    async def at(self, moment: int | datetime) -> Catalog:
        """Do the same as `Store.at`, with the settings that there are for the request."""
        return (await self._store.at(moment)).limited_to(self._setting_prefix)

    async def write(self, decide: Callable[[Catalog], Decision[T]], *, reverts: int | None = None) -> T:
        """Do the same as `Store.write`, within the limits.

        Args:
            decide: See there.
            reverts: The revision that the write undoes, if it does.

        Raises:
            OutsidePrefixError: The write is about other settings.
            ConflictError: There would be too many settings or rules.
            TooLargeError: A value would be too large.
        """

        def decide_within(catalog: Catalog) -> Decision[T]:
            limited = self._limited_catalogs.of(catalog, self._setting_prefix)
            decision = decide(limited)
            limited.require_within_limit(decision.changes)
            self._limits.check(catalog, decision.changes)
            return decision

        cause = await cause_of(self._request, reverts=reverts)
        return await self._store.write(decide_within, cause)
