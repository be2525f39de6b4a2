"""The loads of a loader: what they result in, what became of them, and whom they concern."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from heksherlite.errors import FactsShapeError, GroupNotFound
from heksherlite.grants.expiry import ExpiryWarnings
from heksherlite.grants.grant import Grant, LoadRequest, load
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.listening import FactsListeners
from heksherlite.grants.loading import Loaded, SharedLoad
from heksherlite.grants.start import Start, check
from heksherlite.grants.status import LoadRecord
from heksherlite.grants.watches import RetryWatch, Watch

S = TypeVar("S")


class Loads(Generic[S]):
    """Loads and checks the facts of a loader, once for all tasks and threads, and tells listeners what has changed.

    Args:
        grant: The source of the facts.
        into: The class for all facts, or ``None``.
        hard_fakts: Facts that override those of the grant.
        assert_groups: The groups that must exist.
        refresh_every: The seconds between loads, or ``None``.
        renewed: Called after each load.

    Attributes:
        record: What became of the loads.
        listeners: The functions to call when facts have changed.
        needs_all: Whether lazy layers must be loaded, because something was missing.
    """

    def __init__(
        self,
        grant: Grant,
        into: type[S] | None,
        hard_fakts: Mapping[str, Any],
        assert_groups: Collection[str],
        refresh_every: float | None,
        renewed: Callable[[], None],
    ) -> None:
        self.record: Final = LoadRecord(refresh_every)
        self.listeners: Final = FactsListeners()
        self.needs_all = False
        self._warnings: Final = ExpiryWarnings()
        self._grant = grant
        self._into = into
        self._hard = [Layer(source="hard_fakts", facts=hard_fakts)] if hard_fakts else []
        self._assert_groups = assert_groups
        self._renewed = renewed
        self._shared: Final = SharedLoad[Start[S]](self._load, self._announce)

    @property
    def loaded(self) -> Start[S] | None:
        """The facts, or ``None`` if none are loaded."""
        return None if self._shared.loaded is None else self._shared.loaded.value

    @property
    def refreshes(self) -> int:
        """The number of loads so far that bypassed all caches."""
        return 0 if self._shared.loaded is None else self._shared.loaded.refreshes

    @property
    def watches(self) -> tuple[Watch, ...]:
        """What tells that a source of the loaded facts has changed."""
        return () if self.loaded is None else self.loaded.watches

    async def get(self) -> Start[S]:
        """Return the facts. Load them unless they are loaded."""
        return (await self._shared.get()).value

    async def refresh(self, *, may_ask: bool = True, since: int | None = None) -> Start[S]:
        """Load the facts, bypassing all caches, and return them.

        Args:
            may_ask: Whether a person may be asked.
            since: The value of `refreshes` before which a load does not count; by default the current one.
        """
        newer_than = self.refreshes if since is None else since
        return (await self._shared.get(newer_than=newer_than, may_ask=may_ask)).value

    async def _load(self, request: LoadRequest) -> Start[S]:
        try:
            start = await self._load_and_check(request)
        except Exception as error:
            self.record.note_failure(error)
            raise
        times = [layer.as_of for layer in start.layered.layers if layer.as_of is not None]
        is_substitute = any(isinstance(watch, RetryWatch) for watch in start.watches)
        expiries = start.layered.expiries
        self.record.note_success(
            min(times, default=None), is_substitute=is_substitute, expiry=next(iter(expiries), None)
        )
        self._warnings.check(expiries)
        return start

    async def _load_and_check(self, request: LoadRequest) -> Start[S]:
        facts = await self._load_layers(replace(request, needs_all=self.needs_all))
        try:
            return check(facts, self._assert_groups, self._into)
        except (GroupNotFound, FactsShapeError):
            if not facts.is_pending:
                raise
        self.needs_all = True
        return check(await self._load_layers(replace(request, needs_all=True)), self._assert_groups, self._into)

    async def _load_layers(self, request: LoadRequest) -> LayeredFacts:
        facts = await load(self._grant, request)
        return LayeredFacts([*facts.layers, *self._hard])

    async def _announce(self, before: Loaded[Start[S]] | None, after: Loaded[Start[S]]) -> None:
        self._renewed()
        if before is not None:
            await self.listeners.call(before.value, after.value)
