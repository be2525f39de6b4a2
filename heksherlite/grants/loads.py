"""The loads of a loader: what they result in, what became of them, and whom they concern."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Generic, TypeVar

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
            facts = await load(self._grant, request)
            start = check(LayeredFacts([*facts.layers, *self._hard]), self._assert_groups, self._into)
        except Exception as error:
            self.record.note_failure(error)
            raise
        times = [layer.as_of for layer in facts.layers if layer.as_of is not None]
        is_substitute = any(isinstance(watch, RetryWatch) for watch in start.watches)
        self.record.note_success(min(times, default=None), is_substitute=is_substitute)
        return start

    async def _announce(self, before: Loaded[Start[S]] | None, after: Loaded[Start[S]]) -> None:
        self._renewed()
        if before is not None:
            await self.listeners.call(before.value, after.value)
