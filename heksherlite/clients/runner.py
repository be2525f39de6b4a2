"""Keeps the settings of a client up to date: runs the engine's flows at each interval."""

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from heksherlite.cancellation import let_signals_pass
from heksherlite.clients.callbacks import call_back
from heksherlite.clients.clock import now
from heksherlite.clients.flows import FlowRunner
from heksherlite.clients.outage import Outage
from heksherlite.clients.policy import UpdatePolicy
from heksherlite.clients.push import Push
from heksherlite.clients.schedule import Schedule
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.clients.snapshot_keeper import SnapshotKeeper
from heksherlite.clients.staleness_watch import StalenessWatch
from heksherlite.engine import protocol
from heksherlite.engine.declaration_retries import DeclarationRetries
from heksherlite.engine.engine import Engine
from heksherlite.engine.health import ClientStatus, Health
from heksherlite.engine.polling import Polling
from heksherlite.engine.state import Change
from heksherlite.errors import ServiceResponseError
from heksherlite.http.failures import is_same_outage
from heksherlite.http.in_progress import ConnectionsClosedError
from heksherlite.http.retry_after import retry_after
from heksherlite.http.transport import Transport
from heksherlite.listeners import Listeners
from heksherlite.setting import Setting
from heksherlite.setting_typing import Supplier

if TYPE_CHECKING:
    from heksherlite.engine.all_settings import AllSettings
    from heksherlite.errors import SnapshotError

logger = logging.getLogger(__name__)


class Runner:
    """Keeps the settings of a client up to date, in one event loop.

    Args:
        engine: The engine.
        transport: Sends the requests.
        policy: How to start, to poll, and to treat stale values.
        health: Where to note the results.
        supplier: The client, for which the settings are kept.
        status: Returns the status of the client.
        modification_lock: Held while settings change.
        on_update_ok: Called after each update that succeeded.
        on_update_error: Called after each update that failed.
        snapshot_file: Where the last good state is kept, if anywhere.
        listeners: Called with each setting that changed, and its rules before and after.
        declaration_failed: The log message for declarations that fail in the background.
    """

    def __init__(
        self,
        engine: Engine,
        transport: Transport,
        policy: UpdatePolicy,
        health: Health,
        *,
        supplier: Supplier,
        status: Callable[[], ClientStatus],
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
        self._flows = FlowRunner(transport)
        self._schedule = Schedule(policy.update_interval)
        self._retries = DeclarationRetries(Polling(policy.update_interval, Random()))  # noqa: S311 - spreads requests
        self._declaration_outage = Outage(logger, declaration_failed, "setting declarations work again")
        self._update_outage = Outage(logger, "error during heksher update", "heksher update works again")
        self._all_settings_outage = Outage(
            logger, "error during the update of all settings", "the update of all settings works again"
        )
        self._recovers = False
        self._changed_at: datetime | None = None
        self._one_at_a_time = anyio.Lock()
        self._succeeded = anyio.Event()
        self._push: Push | None = None
        if policy.push and transport.can_listen:
            self._push = Push(transport, policy.update_interval, health, self.hint)
        self._snapshot: SnapshotKeeper | None = None
        if snapshot_file is not None:
            self._snapshot = SnapshotKeeper(
                engine,
                snapshot_file,
                str(transport),
                policy.update_interval,
                modification_lock=modification_lock,
                flows=self._flows,
            )
        self._watch: StalenessWatch | None = None
        if policy.max_staleness is not None:
            self._watch = StalenessWatch(health, policy.on_stale, status, self._return_to_defaults)

    async def start(self) -> None:
        """Read the service's context features, declare and load, within the time that the policy gives.

        Raises:
            Exception: What went wrong, if the policy requires the service. Else it is logged.
            TimeoutError: If it takes too long. Likewise.
        """
        required = self._policy.startup == "require"
        if self._transport.is_offline:
            await (self.update() if required else self.update_logging_failures())
            return
        seconds = self._policy.startup_timeout
        with anyio.move_on_after(seconds) as scope:
            async with self._one_at_a_time:
                unreadable = await self._flows.run(self._engine.try_to_read_context_features())
            try:
                await (self.update() if required else self.update_logging_failures())
            finally:
                if unreadable is not None:
                    # An outage that makes the first update fail, too, is one record and not two.
                    is_logged = not required and self._update_outage.lasts
                    self._engine.log_unreadable_order(unreadable, logging.DEBUG if is_logged else logging.ERROR)
        if scope.cancelled_caught:
            error = TimeoutError(f"{self._transport} did not respond within the startup_timeout of {seconds} s")
            self._note_failure(error)
            if required:
                raise error
            self._update_outage.note(error)
        if self._health.status(now()).state == "failed":
            await self._serve_snapshot()

    def works(self) -> list[Callable[[], Awaitable[None]]]:
        """Return what is to be done in the background until cancelled: first of all, keep the settings up to date."""
        works: list[Callable[[], Awaitable[None]]] = [self._keep_updating]
        if self._push is not None:
            works.append(self._push.run)
        if self._watch is not None:
            works.append(self._watch.run)
        return works

    async def update(self) -> None:
        """Declare the pending settings, then load the rules. Restarts the interval.

        Raises:
            Exception: The first failure, with a note about the other. Rules are loaded even if a declaration failed.
        """
        declaration_failure, load_failure = await self._update()
        if declaration_failure is not None:
            if load_failure is not None:
                declaration_failure.add_note(f"loading the rules failed too: {load_failure!r}")
            raise declaration_failure
        if load_failure is not None:
            raise load_failure

    async def update_logging_failures(self) -> None:
        """Do the same as :meth:`update`, but log the failures.

        Raises:
            ConnectionsClosedError: If the client is closed meanwhile.
        """
        failures = await self._update()
        for failure in failures:
            if isinstance(failure, ConnectionsClosedError):
                raise failure
        self._log(*failures)

    def wake(self) -> None:
        """Make the next update due. Call it in the event loop."""
        self._schedule.wake()

    def hint(self, seconds: float, event_id: str, changed_at: datetime | None = None) -> None:
        """Make an update due after some seconds at the latest, or if updates fail, as soon as one succeeded.

        Args:
            seconds: The seconds.
            event_id: The id of the event of the stream. The update must not be older than the event.
            changed_at: When the change was made that the event is about, if that is known.
        """
        self._changed_at = self._changed_at or changed_at
        self._engine.last_event_id = event_id
        self._schedule.hint(seconds)

    async def wait_for_success(self) -> None:
        """Wait until an update succeeds, unless the last one did.

        Raises:
            RuntimeError: If there is no service.
        """
        if self._transport.is_offline:
            raise RuntimeError("there is no service whose values could be fresh: service_url is None")
        while self._health.status(now()).state != "fresh":
            await self._succeeded.wait()

    async def save(self) -> None:
        """Write the snapshot, if there is one, and something to write."""
        if self._snapshot is not None:
            await self._snapshot.save()

    async def _keep_updating(self) -> None:
        while True:
            await self._schedule.wait()
            try:
                declares = self._retries.is_due(self._engine.registry.pending, now())
                self._log(*await self._update(declares=declares))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not be the last update
                self._note_failure(error)
                self._update_outage.note(error)

    async def _update(self, *, declares: bool = True) -> tuple[Exception | None, Exception | None]:
        if self._transport.is_offline:
            return None, await self._load_offline()
        changes: list[Change] = []
        async with self._one_at_a_time:
            self._recovers = self._update_outage.lasts
            tried = self._engine.registry.pending
            declaration_failure = await self._declare() if declares else None
            load_failure = await self._load(changes)
            if declares:
                self._note_declarations(tried, declaration_failure)
            if load_failure is not None and self._snapshot is not None:
                changes += await self._snapshot.restore()
        await self._announce(changes)
        if self._snapshot is not None:
            await self._snapshot.save_if_due()
        return declaration_failure, load_failure

    async def _declare(self) -> Exception | None:
        registry = self._engine.registry
        error = (await self._flows.run(self._engine.declare())).error()
        if error is not None:
            self._health.declaration_failed(error)
        else:
            self._declaration_outage.end()
        if registry.has_latest_defaults:
            async with self._modification_lock:
                registry.apply_latest_defaults()
        return error

    def _note_declarations(self, tried: Collection[Setting[Any]], error: Exception | None) -> None:
        # After the query, which may have refused settings that were declared.
        if error is not None or self._engine.leaves_out:
            self._retries.failed(tried, now(), None if error is None else retry_after(error))
        else:
            self._retries.succeeded()

    async def _load(self, changes: list[Change]) -> Exception | None:
        try:
            while True:
                changed_at, self._changed_at = self._changed_at, None
                update = await self._flows.run(self._engine.fetch())
                async with self._modification_lock if update.lookups else nullcontext():
                    applied = self._engine.apply(update, self._supplier)
                if applied is not None:
                    break
        except Exception as error:  # noqa: BLE001 - returned to the caller
            let_signals_pass(error)
            self._note_failure(error)
            self._tell_observers(error)
            call_back(self._on_update_error, error)
            return error
        changes += applied
        if update.lookups and self._snapshot is not None:
            self._snapshot.note_update()
        self._note_success()
        if changed_at is not None and update.lookups:
            self._health.counts.delayed((datetime.now(UTC) - changed_at).total_seconds())
        if self._engine.all_settings is not None:
            await self._load_all_settings(self._engine.all_settings)
        call_back(self._on_update_ok)
        return None

    async def _load_all_settings(self, all_settings: "AllSettings") -> None:
        try:
            names = await self._flows.run(all_settings.fetch(self._engine.last_event_id))
        except Exception as error:  # noqa: BLE001 - the settings of the program are up to date all the same
            let_signals_pass(error)
            self._all_settings_outage.note(error)
            self._tell_observers(error)
            return
        self._all_settings_outage.end()
        for observer in all_settings.observers:
            call_back(observer.updated, names)

    def _tell_observers(self, error: Exception) -> None:
        if self._engine.all_settings is not None:
            for observer in self._engine.all_settings.observers:
                call_back(observer.failed, error)

    async def _load_offline(self) -> Exception | None:
        error: SnapshotError | None = None
        if self._snapshot is not None:
            await self._serve_snapshot()
            error = None if self._snapshot.taken_at is not None else self._snapshot.error()
        self._engine.registry.declare_without_service()
        if error is not None:
            self._note_failure(error)
            return error
        self._schedule.rest()
        self._update_outage.end()
        return None

    async def _serve_snapshot(self) -> None:
        if self._snapshot is None:
            return
        async with self._one_at_a_time:
            changes = await self._snapshot.read()
        if self._snapshot.taken_at is not None:
            self._health.serves_snapshot(self._snapshot.taken_at)
        await self._announce(changes)

    async def _return_to_defaults(self) -> None:
        async with self._modification_lock:
            changes = self._engine.return_to_defaults()
        self._health.serves_defaults()
        await self._announce(changes)

    async def _announce(self, changes: list[Change]) -> None:
        """Call listeners, and free what is not needed any more, which takes about as long as making it."""
        while changes:
            change = changes.pop()
            if (change.setting._listeners or self._listeners) and change.matters:
                await change.setting._listeners.call(change.before.rules, change.after.rules)
                await self._listeners.call(change.setting, change.before.rules, change.after.rules)
            await self._flows.checkpoint()

    def _log(self, declaration_failure: Exception | None, load_failure: Exception | None) -> None:
        # An outage is one record, also if it ends between the declarations and the query.
        is_known = is_same_outage(declaration_failure, load_failure) or (
            self._recovers and is_same_outage(declaration_failure, declaration_failure)
        )
        if declaration_failure is not None and not is_known:
            self._declaration_outage.note(declaration_failure)
        if isinstance(load_failure, ServiceResponseError) and load_failure.request == str(protocol.declare({})):
            if not (self._declaration_outage.lasts or self._update_outage.lasts):
                self._declaration_outage.note(load_failure)
        elif load_failure is not None:
            self._update_outage.note(load_failure)

    def _note_success(self) -> None:
        self._health.succeeded(now(), datetime.now(UTC), self._engine.revision)
        self._schedule.succeeded()
        self._update_outage.end()
        if self._push is not None:
            self._push.follow(self._engine.stream_request)
        if self._watch is not None:
            self._watch.succeeded()
        self._succeeded.set()
        self._succeeded = anyio.Event()

    def _note_failure(self, error: Exception) -> None:
        failures = self._health.failed(error)
        self._schedule.failed(failures, retry_after(error))
