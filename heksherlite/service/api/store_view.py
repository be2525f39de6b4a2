"""The store as one request may use it: restricted to a setting prefix, and to the limits of the service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.protection import require_unprotected
from heksherlite.service.errors import PreconditionFailedError
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.device_codes import DeviceCodes
from heksherlite.service.storage.groups import Groups
from heksherlite.service.storage.history import History
from heksherlite.service.storage.last_declared import LastDeclared
from heksherlite.service.storage.proposals import Proposals
from heksherlite.service.storage.store import Store

T = TypeVar("T")


class LimitedCatalogs:
    """Caches the latest catalog for each setting prefix."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._limited: dict[str, Catalog] = {}

    def of(self, catalog: Catalog, setting_prefix: str) -> Catalog:
        """Return a catalog limited to the settings whose names start with a prefix."""
        if not setting_prefix:
            return catalog
        if catalog is not self._catalog:
            self._catalog, self._limited = catalog, {}
        if setting_prefix not in self._limited:
            self._limited[setting_prefix] = catalog.limited_to(setting_prefix)
        return self._limited[setting_prefix]


class StoreView:
    """The store as one request may read it.

    Args:
        store: The store.
        limited_catalogs: The cache of limited catalogs, shared by all views of the store.
        setting_prefix: The prefix of the names of the settings that the request may access; empty for all settings.
    """

    def __init__(self, store: Store, limited_catalogs: LimitedCatalogs, setting_prefix: str) -> None:
        self._store = store
        self._limited_catalogs = limited_catalogs
        self._setting_prefix = setting_prefix

    @property
    def catalog(self) -> Catalog:
        """The settings and rules that the request may read."""
        return self._limited_catalogs.of(self._store.catalog, self._setting_prefix)

    def now(self) -> datetime:
        """Return the time of the clock that all services on the database agree on."""
        return self._store.now()

    @property
    def available(self) -> bool:
        """Whether the database was reachable at the last check."""
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
        """The history of all settings."""
        return self._store.history

    @property
    def last_declared(self) -> LastDeclared:
        """When programs last declared each setting."""
        return self._store.last_declared

    @property
    def proposals(self) -> Proposals:
        """The proposals about all settings."""
        return self._store.proposals

    @property
    def applications(self) -> Applications:
        """The registered applications."""
        return self._store.applications

    @property
    def device_codes(self) -> DeviceCodes:
        """The device codes."""
        return self._store.device_codes

    @property
    def groups(self) -> Groups:
        """The configuration groups."""
        return self._store.groups

    async def at(self, moment: int | RevisionId | datetime) -> Catalog:
        """Do the same as `Store.at`, limited to the settings that the request may read."""
        return (await self._store.at(moment)).limited_to(self._setting_prefix)


class WritableStoreView(StoreView):
    """The store as one request may read and change it.

    Args:
        store: The store.
        limited_catalogs: The cache of limited catalogs, shared by all views of the store.
        setting_prefix: The prefix of the names of the settings that the request may access; empty for all settings.
        limits: The limits on what is stored.
        cause: The author and reason of the changes, for the history.
        if_match: The entity tags that what is changed may have; empty for any.
    """

    def __init__(
        self,
        store: Store,
        limited_catalogs: LimitedCatalogs,
        setting_prefix: str,
        limits: Limits,
        cause: Cause,
        if_match: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(store, limited_catalogs, setting_prefix)
        self._limits = limits
        self._cause = cause
        self._if_match = if_match

    async def write(
        self,
        decide: Callable[[Catalog], Decision[T]],
        *,
        tag: Callable[[Catalog], str] | None = None,
        reverts: int | None = None,
        is_declaration: bool = False,
    ) -> T:
        """Do the same as `Store.write`, within the limits.

        Args:
            decide: Decides on the changes, as for `Store.write`.
            tag: Returns the entity tag of what is changed, to compare with the If-Match header.
            reverts: The revision that the write reverts, if any.
            is_declaration: Whether a program declares a setting, which it may although the setting is protected.

        Raises:
            PreconditionFailedError: What is changed does not have a tag of the If-Match header.
            NotPermittedError: The write concerns a protected setting.
            OutsidePrefixError: The write concerns settings outside the prefix.
            ConflictError: The write would exceed the number of settings or rules.
            TooLargeError: The write would store a value that is too large.
        """
        decide_within_limits = partial(self._decide, decide, tag, is_declaration=is_declaration)
        return await self._store.write(decide_within_limits, replace(self._cause, reverts=reverts))

    def preview(self, decide: Callable[[Catalog], Decision[T]]) -> Decision[T]:
        """Decide as `write` does, and write nothing.

        Raises:
            RequestError: As for `write`.
        """
        return self._decide(decide, None, self._store.catalog, is_declaration=False)

    def _decide(
        self,
        decide: Callable[[Catalog], Decision[T]],
        tag: Callable[[Catalog], str] | None,
        catalog: Catalog,
        *,
        is_declaration: bool,
    ) -> Decision[T]:
        limited = self._limited_catalogs.of(catalog, self._setting_prefix)
        if tag is not None and self._if_match and not self._if_match & {"*", tag(limited)}:
            raise PreconditionFailedError(
                "this was changed meanwhile: it does not have the tag in If-Match; read it again"
            )
        decision = decide(limited)
        limited.require_within_limit(decision.changes)
        if not is_declaration:
            require_unprotected(catalog, decision.changes)
        self._limits.check(catalog, decision.changes)
        return decision

    async def write_proposal(self, decide: Callable[[Catalog], Decision[T]]) -> T:
        """Do the same as `Store.write`, for what is proposed and said about it, and changes no setting."""
        return await self._store.write(decide, self._cause)
