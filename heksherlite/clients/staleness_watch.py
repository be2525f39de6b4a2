"""Acts when the values of a client become stale."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from heksherlite.clients.callbacks import call_back
from heksherlite.clients.clock import now
from heksherlite.clients.policy import OnStale
from heksherlite.engine.health import ClientStatus, Health

logger = logging.getLogger(__name__)


class StalenessWatch:
    """Waits until values are older than ``max_staleness``, and does what the policy says, once until they are fresh.

    Args:
        health: Knows how old the values are.
        on_stale: What to do.
        status: Returns the status of the client.
        return_to_defaults: Makes the settings return their defaults.
    """

    def __init__(
        self,
        health: Health,
        on_stale: OnStale,
        status: Callable[[], ClientStatus],
        return_to_defaults: Callable[[], Awaitable[None]],
    ) -> None:
        self._health = health
        self._on_stale = on_stale
        self._status = status
        self._return_to_defaults = return_to_defaults
        self._succeeded = anyio.Event()

    def succeeded(self) -> None:
        """Note that an update succeeded. Call it in the event loop."""
        self._succeeded.set()
        self._succeeded = anyio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            succeeded = self._succeeded
            remaining = self._health.stale_at - now()
            if remaining > 0:
                with anyio.move_on_after(remaining):
                    await succeeded.wait()
            else:
                await self._act()
                await succeeded.wait()

    async def _act(self) -> None:
        status = self._status()
        text = "no update succeeded" if status.last_success is None else f"last updated at {status.last_success}"
        logger.warning("setting values are stale: %s", text, extra={"age": status.age, "on_stale": self._on_stale})
        if self._on_stale == "default":
            await self._return_to_defaults()
        elif callable(self._on_stale):
            call_back(self._on_stale, status)
