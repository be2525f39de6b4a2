"""The thread client, for synchronous programs: the asynchronous work on a thread of its own."""

import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio

from heksherlite import main_client
from heksherlite.clients import forking
from heksherlite.clients.base import BaseClient
from heksherlite.clients.facts import GROUP, read_client_facts
from heksherlite.clients.policy import OnStale, Startup, UpdatePolicy
from heksherlite.clients.portal import PortalThread
from heksherlite.clients.runner import Runner
from heksherlite.engine import protocol
from heksherlite.engine.protocol import SettingData
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.sync_adapters import async_http_client_args
from heksherlite.http.transport import ResponseLimits, Transport

logger = logging.getLogger(__name__)

R = TypeVar("R")

_CLOSING: Final = 2.0
"""How many seconds closing may take."""


class ThreadHeksherClient(BaseClient):
    """A client for synchronous programs, which keeps settings up to date on a thread of its own.

    Use it as ``with client:``, or call :meth:`set_as_main` at start-up and :meth:`close` at shut-down. Nothing is
    connected or started before that.

    Args:
        service_url: Where the service is, such as ``"http://localhost:8888"``; ``None`` for programs without a service,
            which only have the ``snapshot``.
        update_interval: Seconds between updates of the rules.
        context_features: The context features in the order that the program expects, most general first.
        http_client_args: Arguments as for :class:`httpx.Client`: headers, auth, transport, verify, timeout...
        startup: What :meth:`set_as_main` does if the service cannot be reached, or responds with an error:
            ``"require"`` raises, ``"best-effort"`` logs it, serves the defaults, and keeps trying.
        startup_timeout: After how many seconds the start counts as failed.
        max_staleness: After how many seconds without a successful update values are stale; ``None`` for never.
        on_stale: What happens then: ``"keep"`` keeps them, ``"default"`` returns to the defaults of the declarations
            until an update succeeds, and a function is called once, with the :attr:`status`.
        response_timeout: Seconds until a whole response has to be there. (The time-outs of connecting and of each read
            are those of httpx, 5 seconds unless ``http_client_args`` say otherwise.)
        max_body_size: Bytes that the body of a response may have, as it was sent and decompressed.
        snapshot: The path of a file, or of a folder for it, that keeps the last good state. If the service cannot be
            reached at the start, a ``"best-effort"`` client serves that; see ``docs/guides/snapshots.md``.
        push: Whether to hear of changes as they happen, from services that offer it; see ``docs/reference/stream.md``.

    Attributes:
        modification_lock: While the program holds it, no setting changes. Do not call :meth:`reload` then.

    Raises:
        ValueError: If ``service_url`` is not an HTTP URL, or ``None`` without a ``snapshot``, or an argument is out of
            range.
    """

    _declaration_failed = "declaration failed"

    def __init__(
        self,
        service_url: str | None,
        update_interval: float,
        context_features: Sequence[str],
        *,
        http_client_args: Mapping[str, Any] | None = None,
        startup: Startup = "best-effort",
        startup_timeout: float = 10,
        max_staleness: float | None = None,
        on_stale: OnStale = "keep",
        response_timeout: float = 60,
        max_body_size: int = 256 * 2**20,
        snapshot: str | os.PathLike[str] | None = None,
        push: bool = True,
    ) -> None:
        policy = UpdatePolicy(update_interval, startup, startup_timeout, max_staleness, on_stale, push)
        limits = ResponseLimits(response_timeout, max_body_size)
        transport = Transport(service_url, async_http_client_args(http_client_args), limits)
        super().__init__(context_features, transport, policy, snapshot)
        self.modification_lock = threading.Lock()
        self._start_and_stop = threading.Lock()
        self._portal: PortalThread | None = None

    @classmethod
    def from_fakts(cls, fakts: Fakts | None = None, *, group: str = GROUP, **options: Any) -> Self:
        """Make a client as the facts of the application say; see ``docs/guides/grants.md``.

        Args:
            fakts: The loader of the facts; by default the one whose ``with`` block the code is in.
            group: The group that has ``service_url``, ``context_features``, and perhaps ``update_interval``,
                ``defaults``, ``track``, ``push``, and ``headers`` or ``token``.
            options: Further keyword arguments of the client, such as ``snapshot``.

        Raises:
            NoFaktsFound: If no loader is given, and the code is in no such block.
            FactsShapeError: If the group is not as it should be; it lists every offending key.
            FaktsError: If the facts cannot be loaded, or do not have the group.
        """
        facts = read_client_facts((fakts or get_current_fakts()).get(group), group)
        client = cls(facts.service_url, facts.update_interval, facts.context_features, **facts.options(options))
        client.set_defaults(**facts.defaults)
        client.track_contexts(**facts.track)
        return client

    def set_as_main(self) -> None:
        """Make this the process's main client: declare all settings, load their rules, and keep both going.

        What goes wrong with the service is logged, and the settings keep their defaults until an update succeeds.

        Raises:
            httpx.HTTPError: With ``startup="require"``, if the service is unreachable or responds with an error. This
                and whatever else went wrong leaves nothing running, and no main client.
            ServiceResponseError: Likewise, if the service's response is not what it should be.
            TimeoutError: Likewise, if all this takes longer than ``startup_timeout``.
            heksherlite.errors.SnapshotError: Likewise, if there is no service, and the snapshot cannot be used.
            RuntimeError: If this is the main client already, or cannot take over from the one that is.
        """
        with self._start_and_stop:
            self._become_main()
            portal = self._portal = PortalThread()
            try:
                portal.call(self._start)
            except BaseException:
                self._portal = None
                self._state = "new"
                self.health.started()
                main_client.step_down(self)
                portal.stop(self._transport.aclose, _CLOSING)
                raise

    def reload(self) -> None:
        """Declare the settings that wait for it, and load the rules now. Restarts the interval. Failures are logged.

        Raises:
            RuntimeError: If this is not the main client.
        """
        portal, runner = self._running()
        portal.call(runner.update_logging_failures)

    def wait_until_fresh(self, timeout: float | None = None) -> None:
        """Wait until an update succeeded, unless the last one did.

        Args:
            timeout: How many seconds to wait at the most; ``None`` for as long as it takes.

        Raises:
            TimeoutError: If none did in that time.
            RuntimeError: If this is not the main client, or has no service.
        """
        portal, runner = self._running()
        waiting = portal.start(runner.wait_for_success)
        try:
            waiting.result(timeout)
        finally:
            waiting.cancel()

    def ping(self) -> None:
        """Ask the service whether it is well.

        Raises:
            httpx.HTTPError: If it is not, or cannot be reached.
        """
        self._call(self._transport.send, protocol.HEALTH)

    def get_settings(self) -> dict[str, SettingData]:
        """Return all settings of the service by name, whoever declared them.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If the service's response is not what it should be.
        """
        return protocol.read_settings(self._call(self._transport.send, protocol.ALL_SETTINGS))

    def close(self) -> None:
        """End the background work and close the connections, within 2 seconds. Settings keep their last values.

        May be called again, from any thread, and from a finalizer.
        """
        is_free = self._start_and_stop.acquire(timeout=_CLOSING)
        try:
            portal, self._portal = self._portal, None
            self._become_closed()
            if portal is not None and not portal.stop(self._stop, _CLOSING):
                logger.warning("heksher client does not end", extra={"client": repr(self), "seconds": _CLOSING})
        finally:
            if is_free:
                self._start_and_stop.release()

    def after_fork(self) -> None:
        """Get ready to be used in a forked child. Called by the package."""
        forking.inherited.append(self._portal)
        self._portal = None
        self._start_and_stop = threading.Lock()
        self.modification_lock = threading.Lock()
        super().after_fork()

    def __enter__(self) -> Self:
        self.set_as_main()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _start(self) -> None:
        runner = self._new_runner(_FromThread(self.modification_lock))
        tried = set(self.engine.registry.pending)
        await runner.start()
        self._keep_running(runner)
        if not tried.issuperset(
            self.engine.registry.pending
        ):  # created in the meantime, when there was nothing to wake
            runner.wake()

    async def _start_in_child(self) -> None:
        self._keep_running(self._new_runner(_FromThread(self.modification_lock)))

    async def _stop(self) -> None:
        background, runner, self._background, self._runner = self._background, self._runner, None, None
        if background is not None:
            await background.stop()
        await self._transport.aclose()
        if runner is not None:
            await runner.save()

    def _running(self) -> tuple[PortalThread, Runner]:
        if self._is_inherited:
            self._run_in_child()
            self._end_inheritance()
        portal, runner = self._portal, self._runner
        if portal is None or runner is None:
            raise RuntimeError(f"{self!r} does not reload: it was not made the main client, or was closed")
        return portal, runner

    def _restart(self) -> bool:
        # On another thread, because to start a thread with an event loop takes milliseconds.
        try:
            threading.Thread(target=self._run_in_child, name="heksherlite start", daemon=True).start()
        except RuntimeError:  # the interpreter ends, or there are too many threads
            return False
        return True

    def _run_in_child(self) -> None:
        with self._start_and_stop:
            if self._portal is None and self._state == "main":
                self._portal = PortalThread()
                self._portal.call(self._start_in_child)

    def _call(self, function: Callable[..., Awaitable[R]], *args: object) -> R:
        """Call an asynchronous function, on the client's thread if there is one."""
        portal = self._portal
        if portal is not None:
            return portal.call(function, *args)
        portal = PortalThread()
        try:
            return portal.call(function, *args)
        finally:
            portal.stop(self._transport.aclose, _CLOSING)


class _FromThread:
    """A lock of threads, to be taken in an event loop."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        # Asked for again and again, because waiting for it in a worker thread could not be cancelled.
        while not self._lock.acquire(blocking=False):  # noqa: ASYNC110 - a lock of threads has no event
            await anyio.sleep(0.01)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
