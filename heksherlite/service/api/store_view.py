"""The store as a request may use it: limited to some settings, and in how much it takes in."""

from collections.abc import Callable
from typing import TypeVar

from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.limits import Limits
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
        setting_prefix: How the names of the settings begin that there are; empty for all.
    """

    def __init__(self, store: Store, limits: Limits, limited_catalogs: LimitedCatalogs, setting_prefix: str) -> None:
        self._store = store
        self._limits = limits
        self._limited_catalogs = limited_catalogs
        self._setting_prefix = setting_prefix

    @property
    def catalog(self) -> Catalog:
        """The settings that there are."""
        return self._limited_catalogs.of(self._store.catalog, self._setting_prefix)

    @property
    def available(self) -> bool:
        """Whether the database could be reached at the last look."""
        return self._store.available

    async def catch_up(self) -> None:
        """Do the same as `Store.catch_up`."""
        await self._store.catch_up()

    async def write(self, decide: Callable[[Catalog], Decision[T]]) -> T:
        """Do the same as `Store.write`, within the limits.

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

        return await self._store.write(decide_within)
