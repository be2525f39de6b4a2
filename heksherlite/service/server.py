"""Running the service on a thread of its own, with its own event loop."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from heksherlite.errors import ServiceStartError
from heksherlite.service.app import create_app
from heksherlite.service.domain import context_features as features
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.following import follow
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import AccessOptions, ServiceOptions
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.tokens import add_first_token

_START_SECONDS = 300.0  # a million rules take ten seconds, and much longer on a machine that is busy
_GRACE_SECONDS = 1  # for requests that are under way when the service stops
_STOP_SECONDS = 10.0
_UNREAD_MILLISECONDS = 60_000  # how long a connection is kept whose other end does not take what was sent


class ServiceThread:
    """A service that runs on a background thread between `start` and `stop`, once.

    It installs no signal handlers and leaves the configuration of logging alone.

    Args:
        database: Where settings and rules are kept.
        listener: Where requests arrive, from `listen`; it is closed at the end.
        options: How it serves.
        multiprocess: Where other processes of the same service tell of themselves; None if there are none.
    """

    def __init__(
        self,
        database: Database,
        listener: socket.socket,
        options: ServiceOptions = ServiceOptions(),  # noqa: B008 - immutable
        *,
        multiprocess: MultiprocessDirectory | None = None,
    ) -> None:
        self._database = database
        self._listener = listener
        self._options = options
        self._multiprocess = multiprocess
        self._ready: Future[Callable[[], object]] = Future()
        self._thread: threading.Thread | None = None
        self.url = url_of(listener)
        """Where the service is, such as ``http://127.0.0.1:8888``."""
        self.first_token: str | None = None
        """A token with all scopes, if tokens are asked for and there was none before this start."""

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start, and return when requests are answered.

        Raises:
            ServiceStartError: It cannot start; nothing is left running.
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
        """Stop, and return when nothing is left running; requests under way get a second to finish.

        Raises:
            TimeoutError: The thread does not end.
        """
        if self._thread is None:
            self._listener.close()
            return
        # A service that is not ready yet learns that it is not wanted any more when it is.
        if not self._ready.cancel() and self._ready.exception() is None:
            self._ready.result()()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"the service did not stop within {_STOP_SECONDS:.0f} s")

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
            app = create_app(store, self._options, multiprocess=self._multiprocess)
            server = _Server(
                app,
                lifespan="on" if self._options.opentelemetry else "off",
                on_started=self._ready.set_result,
                on_stopping=app.state.context.streams.close,
            )
            stopping = asyncio.Event()
            following = follow(
                store, app.state.context.changer, keep_history=self._options.keep_history, until=stopping
            )
            follower = asyncio.create_task(following)
            # Without its follower the service would answer from an old catalog, so it ends instead.
            follower.add_done_callback(lambda _: server.stop())
            publisher = asyncio.create_task(app.state.context.metrics.publish(until=stopping))
            await server.serve(sockets=[self._listener])
            stopping.set()
            await follower
            await publisher
        finally:
            await store.close()


async def load(store: Store, database: Database, options: ServiceOptions) -> str | None:
    """Prepare a database, read it, and add the expected context features that are missing.

    Returns:
        The first token, if tokens are asked for and there was none.

    Raises:
        ServiceStartError: The database cannot be used, or holds other context features.
    """
    try:
        await database.prepare()
        first_token = await add_first_token(store.access, now=time.time()) if options.access.auth == "tokens" else None
        await store.load()
        if options.context_features:
            await store.write(partial(features.expect, expected=options.context_features))
    except (ValueError, DatabaseUnavailableError) as error:
        raise ServiceStartError(str(error)) from error
    return first_token


def _silent_protocol(**arguments: Any) -> asyncio.Protocol:
    """Return a connection that logs no requests: uvicorn's would, as soon as any logger above its own has a handler."""
    protocol: asyncio.Protocol = AutoHTTPProtocol(**arguments)
    vars(protocol)["access_log"] = False
    return protocol


class _Server(uvicorn.Server):
    def __init__(
        self,
        app: Callable[..., object],
        *,
        lifespan: Literal["on", "off"],
        on_started: Callable[[Callable[[], object]], object],
        on_stopping: Callable[[], object],
    ) -> None:
        config = uvicorn.Config(
            app,
            http=_silent_protocol,  # type: ignore[arg-type]  # it is only called
            lifespan=lifespan,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
            proxy_headers=False,  # which proxies are believed is decided by the application
            server_header=False,
        )
        super().__init__(config)
        self._on_started = on_started
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        self._on_started(partial(_call_in, loop, self.stop))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stopping()
        await super().shutdown(sockets)

    def stop(self) -> None:
        self.should_exit = True


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)


def listen(host: str, port: int, access: AccessOptions = AccessOptions()) -> socket.socket:  # noqa: B008 - immutable
    """Take an address to listen on.

    Args:
        host: The address.
        port: The port; 0 picks a free one.
        access: Who may use what listens there.

    Raises:
        ServiceStartError: It cannot be taken, or other machines can reach it and everybody may do everything.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol given, asyncio switches Nagle's algorithm off; otherwise it would cost 40 ms per answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Accepted connections inherit it. Without it, a client that has stopped reading is kept for ever.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServiceStartError(f"cannot listen on {host}, port {port}: {error}") from error
    if access.auth == "none" and not access.insecure and not ip_address(listener.getsockname()[0]).is_loopback:
        listener.close()
        raise ServiceStartError(
            f"other machines can reach {host}, and everybody may read and change everything there: ask for tokens"
            " (--auth tokens), or accept that (--insecure)"
        )
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a service that listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
