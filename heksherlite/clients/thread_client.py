"""The thread client, for synchronous programs: the asynchronous work on a thread of its own."""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import anyio

from heksherlite.clients import forking, uwsgi
from heksherlite.clients.base import BaseClient
from heksherlite.clients.facts import GROUP, read_client_facts
from heksherlite.clients.moving import move_with_facts
from heksherlite.clients.portal import PortalThread
from heksherlite.clients.runner import Runner
from heksherlite.engine import protocol
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import SettingData
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.sync_adapters import async_http_client_args

logger = logging.getLogger(__name__)

_CLOSING: Final = 2.0
"""How many seconds closing may take."""


class ThreadHeksherClient(BaseClient):
    """A client for synchronous programs, which keeps settings up to date on a thread of its own.

    Use it as ``with client:``, or call :meth:`set_as_main` at start-up and :meth:`close` at shut-down. The parameters
    are described at ``__init__``.

    Attributes:
        modification_lock: While the program holds this lock, no setting changes. Do not call :meth:`reload` then.
    """

    modification_lock: threading.Lock
    _declaration_failed = "declaration failed"
    _default_startup = "best-effort"
    _portal: PortalThread | None = None

    @classmethod
    def from_fakts(cls, fakts: Fakts | None = None, *, group: str = GROUP, **options: Any) -> Self:
        """Create a client from the facts of the application; see ``docs/guides/grants.md``.

        When the facts change, the client moves to their ``service_url`` and ``token`` or ``headers``.

        Args:
            fakts: The loader of the facts; by default the one whose ``with`` block encloses the call.
            group: The group that has ``service_url``, ``context_features``, and perhaps ``update_interval``,
                ``defaults``, ``track``, ``push``, and ``headers`` or ``token``.
            options: Further keyword arguments of the client, such as ``snapshot``.

        Raises:
            NoFaktsFound: If no loader is given, and no such block encloses the call.
            FactsShapeError: If the group is malformed. The message lists every offending key.
            FaktsError: If the facts cannot be loaded, or do not have the group.
        """
        fakts = fakts or get_current_fakts()
        facts = read_client_facts(fakts.get(group), group)
        client = cls(facts.service_url, facts.update_interval, facts.context_features, **facts.options(options))
        client.set_defaults(**facts.defaults)
        client.track_contexts(**facts.track)
        move_with_facts(client, fakts, group, facts, options)
        return client

    def set_as_main(self) -> None:
        """Make this the process's main client: declare all settings, load their rules, and keep both up to date.

        Failures of the service and of the snapshot are logged, and the settings keep their defaults until an update
        succeeds. With ``startup="require"``, they are raised. After an exception, nothing is running, and there is no
        main client.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error (``"require"`` only).
            ServiceResponseError: If a response of the service does not follow the protocol (``"require"`` only).
            TimeoutError: If the start takes longer than ``startup_timeout`` (``"require"`` only).
            heksherlite.errors.SnapshotError: If there is no service, and the snapshot cannot be used (``"require"``
                only).
            OSError: If the system has no resources left for an event loop.
            RuntimeError: If this is the main client already, or cannot take over from the main client, or the system
                cannot start another thread.
        """
        with self._start_and_stop:
            self._become_main()
            portal: PortalThread | None = None
            try:
                portal = self._portal = PortalThread()
                portal.call(self._start)
            except BaseException:
                self._portal = None
                self._undo_becoming_main()
                if portal is not None:
                    portal.stop(self._transport.aclose, _CLOSING)
                raise
            if uwsgi.loads_application():
                uwsgi.call_after_fork(forking.start_in_worker)
                portal.stop(self._stop, _CLOSING)
                self._portal = None
                self._pause()

    def reload(self) -> None:
        """Declare the pending settings, and load the rules now. Restarts the interval. Failures are logged.

        Raises:
            RuntimeError: If this is not the main client, or is called by a listener or callback of the client.
        """
        portal, runner = self._running()
        portal.call(runner.update_logging_failures)

    def wait_until_fresh(self, timeout: float | None = None) -> None:
        """Wait until an update succeeds, unless the last one did.

        Args:
            timeout: The maximum number of seconds to wait; ``None`` for no limit.

        Raises:
            TimeoutError: If no update succeeds in that time.
            RuntimeError: If this is not the main client, or has no service, or is called by a listener or callback of
                the client.
        """
        portal, runner = self._running()
        portal.call(runner.wait_for_success, timeout=timeout)

    def ping(self) -> None:
        """Check that the service is healthy.

        Raises:
            httpx.HTTPError: If it is not healthy, or is unreachable.
        """
        self._send(protocol.HEALTH)

    def get_settings(self) -> dict[str, SettingData]:
        """Return all settings of the service by name, no matter which program declared them.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If the response does not follow the protocol.
        """
        return protocol.read_settings(self._send(protocol.ALL_SETTINGS))

    def close(self) -> None:
        """End the background work and close the connections, within 2 seconds. Settings keep their last values.

        It may be called again, from any thread, from a listener, and from a finalizer. It raises nothing.
        """
        if sys.is_finalizing():  # daemon threads, such as the client's, do not run any more
            self._portal = None
            self._become_closed()
            return
        deadline = monotonic() + _CLOSING
        portal = self._portal
        # A listener may close the client while another thread does so, and waits for the listener.
        seconds = 0 if portal is not None and portal.is_current else _CLOSING
        is_free = self._start_and_stop.acquire(timeout=seconds)
        try:
            portal, self._portal = self._portal, None
            self._become_closed()
            if portal is not None and not portal.stop(self._stop, max(0.0, deadline - monotonic())):
                logger.warning(
                    "heksher client does not end: %r", self, extra={"client": repr(self), "seconds": _CLOSING}
                )
        finally:
            if is_free:
                self._start_and_stop.release()

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            forking.inherited.append(self._portal)
            self._portal = None
        super()._after_fork()

    def __enter__(self) -> Self:
        self.set_as_main()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _start(self) -> None:
        runner = self._new_runner(_FromThread(self.modification_lock))
        tried = set(self._engine.registry.pending)
        await runner.start()
        self._keep_running(runner)
        # Settings may have been created in the meantime, when there was nothing to wake.
        if not tried.issuperset(self._engine.registry.pending):
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
        self._notice_fork()
        if self._state == "main" and self._portal is None and not uwsgi.loads_application():
            self._run_in_child()
        portal, runner = self._portal, self._runner
        if portal is None or runner is None:
            reason = "is closed" if self._state == "closed" else "is not running; call set_as_main() first"
            raise RuntimeError(f"{self!r} {reason}")
        return portal, runner

    def _create_lock(self) -> None:
        self.modification_lock = threading.Lock()
        self._start_and_stop = threading.Lock()

    def _transport_args(self, http_client_args: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return async_http_client_args(http_client_args)

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

    def _send(self, request: Request) -> Response:
        """Send a request that can be repeated: on the client's thread, or else on one of its own.

        Connections belong to an event loop. So a thread of its own has its own connections, too, because other threads
        may send requests at the same time.
        """
        portal = self._portal
        if portal is not None:
            try:
                return portal.call(self._transport.send, request)
            except Exception:
                if self._portal is portal or portal.is_current:
                    raise  # otherwise another thread closed the client meanwhile
        portal, transport = PortalThread(), self._transport.again()
        try:
            return portal.call(transport.send, request)
        finally:
            portal.stop(transport.aclose, _CLOSING)


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
