"""Does an engine's steps over HTTP, now and then again at every interval."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from random import Random
from time import monotonic, perf_counter, sleep
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from heksherlite.clients.outage import Outage
from heksherlite.clients.policy import UpdatePolicy
from heksherlite.clients.push import Push
from heksherlite.clients.schedule import Schedule
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.engine.changes import Change
from heksherlite.engine.engine import Engine
from heksherlite.engine.health import Health
from heksherlite.engine.messages import Flow, Response
from heksherlite.engine.polling import Polling
from heksherlite.engine.snapshots import Snapshot
from heksherlite.errors import ServiceResponseError, SnapshotError
from heksherlite.http.retry_after import retry_after
from heksherlite.http.transport import Transport
from heksherlite.listeners import Listeners
from heksherlite.setting import Supplier

logger = logging.getLogger(__name__)

R = TypeVar("R")

_SLICE: Final = 0.001
"""For how many seconds the engine works before the rest of the program gets its turn."""

_MOMENT: Final = 1e-6
"""The shortest sleep, in seconds; on most systems it takes some fifty times as long."""


class Runner:
    """Keeps the settings of a client up to date, in one event loop.

    Args:
        engine: What to do.
        transport: How to reach the service.
        policy: When to do it, and what if it fails.
        health: Where to note what became of it.
        supplier: The client, for whom the settings are kept.
        modification_lock: Held while settings change.
        on_update_ok: Called after each update that went well.
        on_update_error: Called after each one that did not.
        snapshot_file: Where the last good state is kept, if anywhere.
        listeners: Called with each setting that changed, and its rules before and after.
        declaration_failed: What to log if a declaration fails in the background.
    """

    def __init__(
        self,
        engine: Engine,
        transport: Transport,
        policy: UpdatePolicy,
        health: Health,
        *,
        supplier: Supplier,
        modification_lock: AbstractAsyncContextManager[object],
        on_update_ok: Callable[[], object],
        on_update_error: Callable[[Exception], object],
        snapshot_file: SnapshotFile | None,
        listeners: Listeners,
        declaration_failed: str,
    ) -> None:
        self._engine = engine
        self._transport = transport
        self._policy = policy
        self._health = health
        self._supplier = supplier
        self._modification_lock = modification_lock
        self._on_update_ok = on_update_ok
        self._on_update_error = on_update_error
        self._listeners = listeners
        self._snapshot_file = snapshot_file
        self._snapshot: Snapshot | None = None
        self._adoptions = 0
        self._is_unsaved = False
        self._save_at = 0.0
        self._declaring = Polling(policy.update_interval, Random())  # noqa: S311 - only spreads polls
        self._declarations = Outage(logger, declaration_failed, "setting declarations work again")
        self._declaration_failures = 0
        self._declare_at = anyio.current_time()
        self._declared_adoptions = 0
        self._push: Push | None = None
        if policy.push and transport.can_listen:
            self._push = Push(transport, policy.update_interval, health, self.hint)
        self._updates = Outage(logger, "error during heksher update", "heksher update works again")
        self._one_at_a_time = anyio.Lock()
        self._schedule = Schedule(policy.update_interval)
        self._succeeded = anyio.Event()
        self._checked_at = perf_counter()

    async def start(self) -> None:
        """Read the service's context features, declare and load, within the time that the policy gives.

        Raises:
            Exception: What went wrong, if the policy requires the service. Else it is logged.
            TimeoutError: Likewise.
        """
        required = self._policy.startup == "require"
        if self._transport.is_offline:
            await (self.update() if required else self.update_logging_failures())
            return
        seconds = self._policy.startup_timeout
        with anyio.move_on_after(seconds) as scope:
            async with self._one_at_a_time:
                await self._perform(self._engine.read_context_features())
            await (self.update() if required else self.update_logging_failures())
        if scope.cancelled_caught:
            error = TimeoutError(f"{self._transport} did not respond within the startup_timeout of {seconds} s")
            self._note_failure(error)
            if required:
                raise error
            self._updates.note(error)
        if self._health.status(monotonic()).state == "failed":
            await self._serve_snapshot()

    async def update(self) -> None:
        """Declare what is to be declared, then load the rules. Restarts the interval.

        Raises:
            Exception: The first failure, with a note of the other. Rules are loaded even if a declaration failed.
        """
        declaration_failure, load_failure = await self._update()
        if declaration_failure is not None:
            if load_failure is not None:
                declaration_failure.add_note(f"loading the rules failed too: {load_failure!r}")
            raise declaration_failure
        if load_failure is not None:
            raise load_failure

    async def update_logging_failures(self) -> None:
        """Do the same as :meth:`update`, but log when it begins to fail."""
        self._log(*await self._update())

    async def run(self) -> None:
        """Keep settings up to date, and watch their age, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_updating)
            if self._push is not None:
                tasks.start_soon(self._push.run)
            if self._policy.max_staleness is not None:
                tasks.start_soon(self._watch_age)

    async def _keep_updating(self) -> None:
        """Update at every interval, and when woken."""
        while True:
            await self._schedule.wait()
            try:
                self._log(*await self._update(declares=self._may_declare()))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not be the last update
                self._note_failure(error)
                self._updates.note(error)

    def wake(self) -> None:
        """Let the next update happen at once. Must be called in the event loop."""
        self._schedule.wake()

    def hint(self, seconds: float, event_id: str) -> None:
        """Let an update happen after some seconds at the latest; if updates fail, as soon as one succeeded.

        Args:
            seconds: When.
            event_id: The id of the event that there was, which the update must not be older than.
        """
        self._engine.last_event_id = event_id
        self._schedule.hint(seconds)

    async def wait_for_success(self) -> None:
        """Wait until an update succeeds, unless the last one did.

        Raises:
            RuntimeError: If there is no service.
        """
        if self._transport.is_offline:
            raise RuntimeError("there is no service whose values could be fresh: service_url is None")
        while self._health.status(monotonic()).state != "fresh":
            await self._succeeded.wait()

    async def _declare(self) -> Exception | None:
        failure = None
        self._declared_adoptions = self._engine.registry.adoptions
        try:
            await self._perform(self._engine.registry.declare_pending())
        except Exception as error:  # noqa: BLE001 - handed to the caller
            failure = error
            self._declaration_failures += 1
            pause = self._declaring.after_failure(self._declaration_failures, retry_after(error))
            self._declare_at = anyio.current_time() + pause
            self._health.declaration_failed(error)
        else:
            self._declaration_failures = 0
            self._declarations.end()
        if self._engine.registry.has_latest_defaults:
            async with self._modification_lock:
                self._engine.registry.apply_latest_defaults()
        return failure

    def _may_declare(self) -> bool:
        """Tell whether declarations did not just fail, or there are new ones."""
        return anyio.current_time() >= self._declare_at or self._engine.registry.adoptions > self._declared_adoptions

    async def _update(self, *, declares: bool = True) -> tuple[Exception | None, Exception | None]:
        if self._transport.is_offline:
            return None, await self._load_offline()
        changes: list[Change] = []
        async with self._one_at_a_time:
            declaration_failure = await self._declare() if declares else None
            load_failure = await self._load(changes)
            if (
                load_failure is not None
                and self._snapshot is not None
                and self._adoptions < self._engine.registry.adoptions
            ):
                changes += await self._restore(self._snapshot)  # for settings that were created since
        await self._announce(changes)
        if monotonic() >= self._save_at:
            await self.save()
        return declaration_failure, load_failure

    async def _load_offline(self) -> Exception | None:
        await self._serve_snapshot()
        self._engine.registry.declare_to_nobody()
        if self._snapshot is None and self._snapshot_file is not None:
            error = SnapshotError(f"there is no service, and no usable snapshot at {self._snapshot_file.path}")
            self._note_failure(error)
            return error
        self._schedule.rest()
        self._updates.end()
        return None

    async def _load(self, changes: list[Change]) -> Exception | None:
        try:
            while True:
                resets = self._engine.resets
                update = await self._perform(self._engine.fetch())
                if update is not None:
                    async with self._modification_lock:
                        if self._engine.resets == resets:
                            changes += self._engine.apply(update, self._supplier)
                            self._is_unsaved = True
                if self._engine.resets == resets:
                    break  # else it may be about changes of what is not in force any more
        except Exception as error:  # noqa: BLE001 - handed to the caller
            self._note_failure(error)
            self._call_back(self._on_update_error, error)
            return error
        self._note_success()
        self._call_back(self._on_update_ok)
        return None

    async def _serve_snapshot(self) -> None:
        """Restore what has no rules yet from the snapshot, which is read for the first time."""
        if self._snapshot is None and self._snapshot_file is not None:
            filters = self._engine.options.context_filters()
            self._snapshot = await anyio.to_thread.run_sync(self._snapshot_file.read, filters)
        if self._snapshot is None:
            return
        try:
            async with self._one_at_a_time:
                changes = await self._restore(self._snapshot)
        except ServiceResponseError as error:
            logger.warning("snapshot cannot be used", extra={"reason": str(error)})
            self._snapshot = None
            return
        self._health.serves_snapshot(self._snapshot.taken_at)
        await self._announce(changes)

    async def _restore(self, snapshot: Snapshot) -> list[Change]:
        self._adoptions = self._engine.registry.adoptions
        restored = await self._perform(self._engine.restore(snapshot))
        async with self._modification_lock:
            return self._engine.apply_restored(restored)

    async def save(self) -> None:
        """Write the snapshot, if there is one, and something to write."""
        if self._snapshot_file is None or not self._is_unsaved:
            return
        self._save_at = monotonic() + self._policy.update_interval
        snapshot = self._engine.snapshot(str(self._transport), datetime.now(UTC))
        if snapshot is not None:
            # A slow disk must not hold up the end of the program. Who reads the file gets all of the old or the new.
            written = await anyio.to_thread.run_sync(self._snapshot_file.write, snapshot, abandon_on_cancel=True)
            self._is_unsaved = not written

    async def _announce(self, changes: list[Change]) -> None:
        """Call listeners, and free what is not needed any more, which takes about as long as making it."""
        while changes:
            change = changes.pop()
            if (change.setting._listeners or self._listeners) and change.matters:
                await change.setting._listeners.call(change.before.rules, change.after.rules)
                await self._listeners.call(change.setting, change.before.rules, change.after.rules)
            await self._checkpoint()

    def _log(self, declaration_failure: Exception | None, load_failure: Exception | None) -> None:
        if declaration_failure is not None:
            self._declarations.note(declaration_failure)
        if load_failure is not None:
            self._updates.note(load_failure)

    def _note_success(self) -> None:
        self._health.succeeded(monotonic(), datetime.now(UTC), self._engine.revision)
        self._schedule.succeeded()
        self._updates.end()
        if self._push is not None:
            self._push.follow(self._engine.stream_request)
        self._succeeded.set()
        self._succeeded = anyio.Event()

    def _note_failure(self, error: Exception) -> None:
        failures = self._health.failed(error)
        self._schedule.failed(failures, retry_after(error))

    async def _watch_age(self) -> None:
        while True:
            succeeded = self._succeeded
            remaining = self._health.stale_at - monotonic()
            if remaining > 0:
                with anyio.move_on_after(remaining):
                    await succeeded.wait()
            else:
                await self._become_stale()
                await succeeded.wait()

    async def _become_stale(self) -> None:
        on_stale = self._policy.on_stale
        status = self._health.status(monotonic(), undeclared=len(self._engine.registry.pending))
        logger.warning("setting values are stale", extra={"age": status.age, "on_stale": on_stale})
        if on_stale == "default":
            async with self._modification_lock:
                changes = self._engine.return_to_defaults()
            self._health.serves_defaults()
            await self._announce(changes)
        elif callable(on_stale):
            self._call_back(on_stale, status)

    def _call_back(self, function: Callable[..., object], *args: object) -> None:
        try:
            function(*args)
        except Exception:
            logger.exception("error in a callback of heksher client", extra={"callback": repr(function)})

    async def _perform(self, flow: Flow[R]) -> R:
        try:
            requests = next(flow)
            while True:
                responses: Sequence[Response | Exception] = ()
                if requests:
                    responses = await self._transport.send_all(requests)
                    self._checked_at = perf_counter()
                else:
                    await self._checkpoint()
                requests = flow.send(responses)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def _checkpoint(self) -> None:
        if perf_counter() - self._checked_at > _SLICE:
            # Other threads wait for the interpreter until its holder has kept it for 5 ms (sys.getswitchinterval). An
            # event loop with work to do lets go of it more often than that, but takes it back before they wake up, and
            # their time begins anew: without sleep they would wait until all is done.
            sleep(_MOMENT)  # noqa: ASYNC251
            await anyio.lowlevel.checkpoint()
            self._checked_at = perf_counter()
