"""Keeps the last good state of a client in its snapshot file, and restores settings from it."""

import logging
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from heksherlite.clients.clock import now
from heksherlite.clients.flows import FlowRunner
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.engine.engine import Engine
from heksherlite.engine.state import Change
from heksherlite.errors import ServiceResponseError, SnapshotError
from heksherlite.http.daemon_threads import run_in_daemon_thread

if TYPE_CHECKING:
    from heksherlite.engine.snapshots import Snapshot
    from heksherlite.setting import Setting

logger = logging.getLogger(__name__)


class SnapshotKeeper:
    """The snapshot of a client: read once at the start, and written after updates.

    Args:
        engine: Makes and reads snapshots.
        file: The file.
        service: The URL of the service, without credentials.
        interval: The seconds between two writes, at least.
        modification_lock: Held while settings change.
        flows: Runs the engine's flows.
    """

    def __init__(
        self,
        engine: Engine,
        file: SnapshotFile,
        service: str,
        interval: float,
        *,
        modification_lock: AbstractAsyncContextManager[object],
        flows: FlowRunner,
    ) -> None:
        self._engine = engine
        self._file = file
        self._service = service
        self._interval = interval
        self._modification_lock = modification_lock
        self._flows = flows
        self._snapshot: Snapshot | None = None
        self._restored: WeakSet[Setting[Any]] = WeakSet()
        self._is_unsaved = False
        self._save_at = 0.0

    @property
    def taken_at(self) -> datetime | None:
        """When the snapshot was taken that settings were restored from, or ``None`` if there is none."""
        return None if self._snapshot is None else self._snapshot.taken_at

    def error(self) -> SnapshotError:
        """Return the error that says that a client without service has no snapshot."""
        return SnapshotError(f"there is no service, and no usable snapshot at {self._file.path}")

    async def read(self) -> list[Change]:
        """Read the file unless it was read already, restore settings from it, and return the changes."""
        if self._snapshot is None:
            self._snapshot = await run_in_daemon_thread(self._file.read, self._engine.options.context_filters())
        try:
            return await self.restore()
        except ServiceResponseError as error:
            logger.warning("snapshot cannot be used: %s", error, extra={"reason": str(error)})
            self._snapshot = None
            return []

    async def restore(self) -> list[Change]:
        """Restore the settings that were created since the last time, and return the changes."""
        settings = self._engine.registry.settings
        if self._snapshot is None or self._restored.issuperset(settings):
            return []
        lookups = await self._flows.run(self._engine.restore(self._snapshot))
        self._restored.update(settings)
        async with self._modification_lock:
            return self._engine.apply_restored(lookups)

    def note_update(self) -> None:
        """Note that there is something to save."""
        self._is_unsaved = True

    async def save_if_due(self) -> None:
        """Write the file, unless there is nothing new or it was written within the interval."""
        if now() >= self._save_at:
            await self.save()

    async def save(self) -> None:
        """Write the file, unless there is nothing new."""
        if not self._is_unsaved:
            return
        self._save_at = now() + self._interval
        snapshot = self._engine.snapshot(self._service, datetime.now(UTC))
        if snapshot is not None:
            # A slow disk must not hold up the end of the program. Readers of the file see the old one or the new one.
            self._is_unsaved = not await run_in_daemon_thread(self._file.write, snapshot)
