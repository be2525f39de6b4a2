"""The asynchronous client, for asyncio and trio."""

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import anyio

from heksherlite.clients.background import in_task
from heksherlite.clients.base import BaseClient
from heksherlite.clients.facts import GROUP, read_client_facts
from heksherlite.clients.moving import move_with_facts
from heksherlite.clients.runner import Runner
from heksherlite.engine import protocol
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import SettingData
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.transport import Transport

_CLOSING: Final = 2.0
"""How many seconds closing may take."""


class AsyncHeksherClient(BaseClient):
    """A client for asynchronous programs, on asyncio or trio.

    Use it as ``async with client:``, or call :meth:`set_as_main` at start-up and :meth:`aclose` at shut-down, in any
    task. The parameters are described at ``__init__``.

    Attributes:
        modification_lock: While the program holds this lock, no setting changes.
    """

    modification_lock: anyio.Lock
    _declaration_failed = "setting declaration failed"
    _default_startup = "require"

    @classmethod
    async def from_fakts(cls, fakts: Fakts | None = None, *, group: str = GROUP, **options: Any) -> Self:
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
        facts = read_client_facts(await fakts.aget(group), group)
        client = cls(facts.service_url, facts.update_interval, facts.context_features, **facts.options(options))
        client.set_defaults(**facts.defaults)
        client.track_contexts(**facts.track)
        move_with_facts(client, fakts, group, facts, options)
        return client

    async def set_as_main(self) -> None:
        """Make this the process's main client: declare all settings, load their rules, and keep both up to date.

        After an exception, nothing is running, and there is no main client. With ``startup="best-effort"``, failures of
        the service and of the snapshot are logged instead of raised.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If a response of the service does not follow the protocol.
            TimeoutError: If the start takes longer than ``startup_timeout``.
            heksherlite.errors.SnapshotError: If there is no service, and the snapshot cannot be used.
            RuntimeError: If this is the main client already, or cannot take over from the main client.
        """
        self._become_main()
        try:
            runner = self._new_runner(self.modification_lock)
            await runner.start()
            self._keep_running(runner)
        except BaseException:
            self._undo_becoming_main()
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()
            raise
        if self._engine.registry.pending:
            self._wake()

    async def reload(self) -> None:
        """Declare the pending settings, and load the rules now. Restarts the interval.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If a response of the service does not follow the protocol.
            RuntimeError: If this is not the main client.
        """
        try:
            await self._running().update()
        finally:
            if not self.is_live:  # another task closed the client meanwhile
                await _close(self._transport)

    async def wait_until_fresh(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the thread client's
        """Wait until an update succeeds, unless the last one did.

        Args:
            timeout: The maximum number of seconds to wait; ``None`` for no limit.

        Raises:
            TimeoutError: If no update succeeds in that time.
            RuntimeError: If this is not the main client, or has no service.
        """
        runner = self._running()
        with anyio.fail_after(timeout):
            await runner.wait_for_success()

    async def ping(self) -> None:
        """Check that the service is healthy.

        Raises:
            httpx.HTTPError: If it is not healthy, or is unreachable.
        """
        await self._send(protocol.HEALTH)

    async def get_settings(self) -> dict[str, SettingData]:
        """Return all settings of the service by name, no matter which program declared them.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If the response does not follow the protocol.
        """
        return protocol.read_settings(await self._send(protocol.ALL_SETTINGS))

    async def aclose(self) -> None:
        """End the background work and close the connections, within 2 seconds. Settings keep their last values.

        It can be called again, from any task and from listeners. It raises no exception.
        """
        background, runner, self._background, self._runner = self._background, self._runner, None, None
        self._become_closed()
        if background is not None and background.is_of_other_loop:
            background.abandon()  # and the connections with it, which belong to an event loop that may have ended
            return
        with anyio.move_on_after(_CLOSING, shield=True):  # also if the task is being cancelled
            if background is not None:
                await background.stop()
            await self._transport.aclose()
            if runner is not None:
                await runner.save()

    async def close(self) -> None:
        """Deprecated: use :meth:`aclose`, which does the same."""
        warnings.warn("AsyncHeksherClient.close() is deprecated: use aclose()", DeprecationWarning, stacklevel=2)
        await self.aclose()

    async def __aenter__(self) -> Self:
        await self.set_as_main()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, request: Request) -> Response:
        """Send a request that can be repeated. A client that is not running has connections for this request only."""
        if self.is_live:
            try:
                return await self._transport.send(request)
            except Exception:
                if self.is_live:
                    raise  # otherwise another task closed the client meanwhile
            finally:
                if not self.is_live:
                    await _close(self._transport)
        transport = self._transport.again()
        try:
            return await transport.send(request)
        finally:
            await _close(transport)

    def _running(self) -> Runner:
        self._notice_fork()
        if self._runner is None:
            reason = "is closed" if self._state == "closed" else "is not running; call set_as_main() first"
            raise RuntimeError(f"{self!r} {reason}")
        return self._runner

    def _create_lock(self) -> None:
        self.modification_lock = anyio.Lock()

    def _transport_args(self, http_client_args: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return http_client_args

    def _restart(self) -> bool:
        if not in_task():
            return False
        self._keep_running(self._new_runner(self.modification_lock))
        return True


async def _close(transport: Transport) -> None:
    """Close a transport, also if the task is being cancelled."""
    with anyio.CancelScope(shield=True):
        await transport.aclose()
