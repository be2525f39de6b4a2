"""The asynchronous client, for asyncio and trio."""

import os
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import anyio

from heksherlite import main_client
from heksherlite.clients.background import in_task
from heksherlite.clients.base import BaseClient
from heksherlite.clients.facts import GROUP, read_client_facts
from heksherlite.clients.policy import OnStale, Startup, UpdatePolicy
from heksherlite.clients.runner import Runner
from heksherlite.engine import protocol
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import SettingData
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.transport import ResponseLimits, Transport

_CLOSING: Final = 2.0
"""How many seconds closing may take."""


class AsyncHeksherClient(BaseClient):
    """A client for asynchronous programs, on asyncio or trio.

    Use it as ``async with client:``, or call :meth:`set_as_main` at start-up and :meth:`aclose` at shut-down, in
    whatever tasks. Nothing is connected or started before that.

    Args:
        service_url: Where the service is, such as ``"http://localhost:8888"``; ``None`` for programs without a service,
            which only have the ``snapshot``.
        update_interval: Seconds between updates of the rules.
        context_features: The context features in the order that the program expects, most general first.
        http_client_args: Arguments for the :class:`httpx.AsyncClient`: headers, auth, transport, verify, timeout...
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
        modification_lock: While the program holds it, no setting changes.

    Raises:
        ValueError: If ``service_url`` is not an HTTP URL, or ``None`` without a ``snapshot``, or an argument is out of
            range.
    """

    _declaration_failed = "setting declaration failed"

    def __init__(
        self,
        service_url: str | None,
        update_interval: float,
        context_features: Sequence[str],
        *,
        http_client_args: Mapping[str, Any] | None = None,
        startup: Startup = "require",
        startup_timeout: float = 10,
        max_staleness: float | None = None,
        on_stale: OnStale = "keep",
        response_timeout: float = 60,
        max_body_size: int = 256 * 2**20,
        snapshot: str | os.PathLike[str] | None = None,
        push: bool = True,
    ) -> None:
        policy = UpdatePolicy(update_interval, startup, startup_timeout, max_staleness, on_stale, push)
        transport = Transport(service_url, http_client_args, ResponseLimits(response_timeout, max_body_size))
        super().__init__(context_features, transport, policy, snapshot)
        self.modification_lock = anyio.Lock()

    @classmethod
    async def from_fakts(cls, fakts: Fakts | None = None, *, group: str = GROUP, **options: Any) -> Self:
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
        facts = read_client_facts(await (fakts or get_current_fakts()).aget(group), group)
        client = cls(facts.service_url, facts.update_interval, facts.context_features, **facts.options(options))
        client.set_defaults(**facts.defaults)
        client.track_contexts(**facts.track)
        return client

    async def set_as_main(self) -> None:
        """Make this the process's main client: declare all settings, load their rules, and keep both going.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error. This and whatever else went
                wrong with a declaration or with the first load leaves nothing running, and no main client. With
                ``startup="best-effort"`` it is logged instead.
            ServiceResponseError: If the service's response is not what it should be. Likewise.
            TimeoutError: If all this takes longer than ``startup_timeout``. Likewise.
            heksherlite.errors.SnapshotError: If there is no service, and the snapshot cannot be used. Likewise.
            RuntimeError: If this is the main client already, or cannot take over from the one that is.
        """
        self._become_main()
        runner = self._new_runner(self.modification_lock)
        try:
            await runner.start()
        except BaseException:
            self._state = "new"
            self.health.started()
            main_client.step_down(self)
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()
            raise
        self._keep_running(runner)
        if self.engine.registry.pending:
            self._wake()

    async def reload(self) -> None:
        """Declare the settings that wait for it, and load the rules now. Restarts the interval.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If the service's response is not what it should be.
            RuntimeError: If this is not the main client.
        """
        await self._running().update()

    async def wait_until_fresh(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the thread client's
        """Wait until an update succeeded, unless the last one did.

        Args:
            timeout: How many seconds to wait at the most; ``None`` for as long as it takes.

        Raises:
            TimeoutError: If none did in that time.
            RuntimeError: If this is not the main client, or has no service.
        """
        runner = self._running()
        with anyio.fail_after(timeout):
            await runner.wait_for_success()

    async def ping(self) -> None:
        """Ask the service whether it is well.

        Raises:
            httpx.HTTPError: If it is not, or cannot be reached.
        """
        await self._ask(protocol.HEALTH)

    async def get_settings(self) -> dict[str, SettingData]:
        """Return all settings of the service by name, whoever declared them.

        Raises:
            httpx.HTTPError: If the service is unreachable or responds with an error.
            ServiceResponseError: If the service's response is not what it should be.
        """
        return protocol.read_settings(await self._ask(protocol.ALL_SETTINGS))

    async def aclose(self) -> None:
        """End the background work and close the connections, within 2 seconds. Settings keep their last values."""
        background, runner, self._background, self._runner = self._background, self._runner, None, None
        self._become_closed()
        with anyio.move_on_after(_CLOSING, shield=True):  # also if the task is being cancelled
            if background is not None:
                await background.stop()
            await self._transport.aclose()
            if runner is not None:
                await runner.save()

    async def close(self) -> None:
        """Do the same as :meth:`aclose`. Deprecated."""
        warnings.warn("AsyncHeksherClient.close() is deprecated: use aclose()", DeprecationWarning, stacklevel=2)
        await self.aclose()

    async def __aenter__(self) -> Self:
        await self.set_as_main()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, request: Request) -> Response:
        try:
            return await self._transport.send(request)
        finally:
            if not self.is_live:
                with anyio.CancelScope(shield=True):
                    await self._transport.aclose()

    def _running(self) -> Runner:
        if self._is_inherited:
            self._use_after_fork()
        if self._runner is None:
            raise RuntimeError(f"{self!r} does not reload: it was not made the main client, or was closed")
        return self._runner

    def _restart(self) -> bool:
        if not in_task():
            return False
        self.modification_lock = anyio.Lock()
        self._keep_running(self._new_runner(self.modification_lock))
        return True
