"""Runs the service on a thread with its own event loop."""

import asyncio
import gc
import logging
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Final, Literal

import uvicorn

from heksherlite.errors import ServiceStartError
from heksherlite.service.api.context import ServiceContext
from heksherlite.service.app import create_app
from heksherlite.service.connections import connection_protocol, max_connections, url_of
from heksherlite.service.console.preparing import prepare_pages
from heksherlite.service.domain import context_features as features
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.tokens import public_prefix
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.following import follow
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.tokens import add_first_token, remove_token

_START_SECONDS: Final = 300.0  # a million rules take ten seconds, and much longer on a busy machine
_GRACE_SECONDS: Final = 1  # for requests in progress when the service stops
_STOP_SECONDS: Final = 10.0
_SWITCH_SECONDS: Final = 0.0015
_NEW_OBJECTS: Final = 10_000  # before they are searched for garbage
_TICK_SECONDS: Final = 0.1  # as in uvicorn
_CLOSING_ROUNDS: Final = 20  # of the event loop, until an idle connection is closed
_ACCEPTED_AT_ONCE: Final = 8  # connections that a worker accepts before others have a chance
_QUEUED_CONNECTIONS: Final = 1024  # in the kernel

_logger = logging.getLogger(__name__)


class ServiceThread:
    """A service that runs on a background thread between `start` and `stop`, once.

    It installs no signal handlers and does not configure logging.

    Args:
        database: The database with the settings and rules.
        listener: A bound socket. It is closed when the service stops.
        options: The options of the service.
        multiprocess: The directory shared with other processes of the service; None for a single process.
        alone: Whether the process does nothing else. Then each route is built by its first request, and the start page
            of the console and its search are prepared after the start.
    """

    def __init__(
        self,
        database: Database,
        listener: socket.socket,
        options: ServiceOptions = ServiceOptions(),  # noqa: B008 - immutable
        *,
        multiprocess: MultiprocessDirectory | None = None,
        alone: bool = False,
    ) -> None:
        self._database = database
        self._listener = listener
        self._options = options
        self._multiprocess = multiprocess
        self._alone = alone
        self._ready: Future[Callable[[], object]] = Future()
        self._thread: threading.Thread | None = None
        self.url = url_of(listener)
        """The URL of the service, such as ``http://127.0.0.1:8888``."""
        self.first_token: str | None = None
        """A token with all scopes that expires in 24 hours; None unless tokens are required and there was none."""

    @property
    def running(self) -> bool:
        """Whether the thread is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the service, and return when it accepts requests.

        Raises:
            ServiceStartError: The service cannot start. Nothing is left running.
        """
        self._thread = threading.Thread(target=self._run, name="heksherlite-service", daemon=True)
        self._thread.start()
        try:
            self._ready.result(_START_SECONDS)
        except TimeoutError as error:
            self.stop()
            raise ServiceStartError(f"the service did not start within {_START_SECONDS:.0f} s") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Drain and stop the service, and return when nothing is left running.

        Requests in progress have one second to complete.

        Raises:
            TimeoutError: The thread does not end.
        """
        if self._thread is None:
            self._listener.close()
            return
        # A service that is still starting sees the cancellation when it is ready.
        if not self._ready.cancel() and self._ready.exception() is None:
            self._ready.result()()
        self._thread.join(self._options.drain + _STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"the service did not stop within {self._options.drain + _STOP_SECONDS:.0f} s")

    def _run(self) -> None:
        try:
            with self._listener:
                asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.cancelled():
                return
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        store = Store(self._database)
        try:
            self.first_token = await load(store, self._database, self._options)
            app = create_app(store, self._options, multiprocess=self._multiprocess, defers_routes=self._alone)
            context: ServiceContext = app.state.context
            server = _Server(
                app,
                self._options,
                lifespan="on" if self._options.opentelemetry else "off",
                context=context,
                on_started=self._ready.set_result,
            )
            stopping = asyncio.Event()
            following = follow(
                store,
                context.changer,
                keep_history=self._options.keep_history,
                keep_audit=self._options.audit_retention,
                until=stopping,
            )
            follower = asyncio.create_task(following)
            # Without its follower, the service would serve an outdated catalog, so it ends instead.
            follower.add_done_callback(lambda _: server.stop())
            publisher = asyncio.create_task(context.metrics.publish(until=stopping))
            auditor = asyncio.create_task(context.audit.keep_writing(until=stopping))
            preparing = asyncio.create_task(prepare_pages(app, until=stopping)) if self._alone else None
            await server.serve(sockets=[self._listener])
            stopping.set()
            await follower
            await publisher
            await auditor
            if preparing is not None:
                await preparing
        finally:
            if self.first_token is not None and (self._ready.cancelled() or not self._ready.done()):
                await remove_first_token(store, self.first_token)
            await store.close()


def start_alone(start: Callable[[], object]) -> None:
    """Start a service in a process that does nothing else, so that the process can be set up for it.

    What is loaded is excluded from garbage collection, because all of it stays in use. With a million rules, a
    collection takes more than half a second, in which nothing else happens, and collections while they are loaded take
    a third of the time. Threads take turns more often, because a change that is decided in one thread would otherwise
    hold up each read several times for 5 ms.

    New objects are searched for garbage when there are 10,000 of them, instead of 700. A change of 100,000 rules makes
    millions that stay in use, and the searches took a fifth of its time. Ordinary requests leave hardly any garbage:
    with either number, a search is rare, and the memory that the process takes is the same.

    Args:
        start: Starts the service. What it raises is raised.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(_NEW_OBJECTS)
    gc.disable()
    try:
        start()
        gc.freeze()
    finally:
        gc.enable()


async def load(store: Store, database: Database, options: ServiceOptions) -> str | None:
    """Prepare a database, load it, and add missing context features.

    Returns:
        The first token, if tokens are required and the database had none.

    Raises:
        ServiceStartError: The database cannot be used, or its context features differ from the expected ones.
    """
    try:
        await database.prepare()
        await store.load()
        if options.context_features:
            await store.write(partial(features.expect, expected=options.context_features))
        if options.access.auth != "tokens":
            return None
        first_token = await add_first_token(store.access, now=store.now().timestamp())
        if first_token is not None:
            await store.load()
    except (ValueError, DatabaseUnavailableError) as error:
        raise ServiceStartError(str(error)) from error
    return first_token


async def remove_first_token(store: Store, first_token: str) -> None:
    """Delete the first token of a start that failed, because nobody has seen it."""
    try:
        await remove_token(store.access, public_prefix(first_token), BY_SERVICE)
    except DatabaseUnavailableError as error:
        _logger.warning(
            "the first token of a failed start could not be deleted: heksherlite token revoke admin does it: %s",
            error,
            extra={"reason": str(error)},
        )


class _Server(uvicorn.Server):
    def __init__(
        self,
        app: Callable[..., object],
        options: ServiceOptions,
        *,
        lifespan: Literal["on", "off"],
        context: ServiceContext,
        on_started: Callable[[Callable[[], object]], object],
    ) -> None:
        limit = max_connections()
        # Beyond the limit of streams, there is room for other requests.
        self._max_streams = limit - limit // 10
        config = uvicorn.Config(
            app,
            http=connection_protocol(lambda: limit),  # type: ignore[arg-type]  # it is only called
            lifespan=lifespan,
            log_config=None,
            ws="none",
            root_path=options.root_path,
            backlog=_ACCEPTED_AT_ONCE,
            timeout_keep_alive=options.keep_alive,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            proxy_headers=False,  # the application decides which proxies are trusted
            server_header=False,
        )
        super().__init__(config)
        self._drain = options.drain
        self._stopping = asyncio.Event()
        self._context = context
        self._on_started = on_started
        context.streams.has_room = self._has_room
        context.quotas.max_streams = self._max_streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            # asyncio accepts as many connections at once as its backlog, which would be the kernel's as well.
            listener.listen(_QUEUED_CONNECTIONS)
        loop = asyncio.get_running_loop()
        self._on_started(partial(_call_in, loop, self._begin_to_stop))

    async def main_loop(self) -> None:
        """Wait until the server has to stop. uvicorn's own loop notices it a tenth of a second later."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.streams.close()
        if await self._close_idle_connections():
            await self.lifespan.shutdown()
        else:
            await super().shutdown(sockets)

    async def _close_idle_connections(self) -> bool:
        """Close the listeners and the idle connections. Return whether no connection and no request is left.

        uvicorn waits for a tenth of a second before it looks, or for two.
        """
        state = self.server_state
        for server in self.servers:
            server.close()
        for connection in list(state.connections):
            connection.shutdown()
        for _ in range(_CLOSING_ROUNDS):
            if not (state.connections or state.tasks):
                return True
            await asyncio.sleep(0)
        return False

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    def _begin_to_stop(self) -> None:
        self._context.streams.stopping = True
        asyncio.get_running_loop().call_later(self._drain, self.stop)

    def _has_room(self) -> bool:
        return len(self.server_state.connections) <= self._max_streams


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
