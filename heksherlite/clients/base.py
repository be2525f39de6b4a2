"""The common part of the asynchronous client and the thread client."""

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from heksherlite import main_client
from heksherlite.clients import forking, uwsgi
from heksherlite.clients.background import BackgroundTasks
from heksherlite.clients.clock import now
from heksherlite.clients.policy import OnStale, Startup, UpdatePolicy
from heksherlite.clients.runner import Runner
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.contexts import ContextDefaults
from heksherlite.engine.engine import Engine
from heksherlite.engine.health import ClientState, ClientStatus, Health
from heksherlite.engine.options import ContextOptions
from heksherlite.http.transport import ResponseLimits, Transport
from heksherlite.listeners import Listeners
from heksherlite.main_client import MainClient
from heksherlite.setting import Setting
from heksherlite.setting_arguments import check_signature

if TYPE_CHECKING:
    from heksherlite.engine.all_settings import AllSettings

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class BaseClient(ABC):
    """The common part of the clients of a settings service."""

    _declaration_failed: ClassVar[str]
    _default_startup: ClassVar[Startup]
    _options_type: ClassVar[type[ContextOptions]] = ContextOptions

    def __init__(
        self,
        service_url: str | None,
        update_interval: float,
        context_features: Sequence[str],
        *,
        http_client_args: Mapping[str, Any] | None = None,
        startup: Startup | None = None,
        startup_timeout: float = 10,
        max_staleness: float | None = None,
        on_stale: OnStale = "keep",
        response_timeout: float = 60,
        max_body_size: int = 256 * 2**20,
        snapshot: str | os.PathLike[str] | None = None,
        push: bool = True,
    ) -> None:
        """Create a client. Nothing is connected or started before :meth:`set_as_main`.

        Args:
            service_url: The URL of the service, such as ``"http://localhost:8888"``; ``None`` for a program without a
                service, which only has the ``snapshot``.
            update_interval: The seconds between updates of the rules.
            context_features: The context features in the order that the program expects, most general first.
            http_client_args: Arguments for :class:`httpx.AsyncClient`, or for :class:`httpx.Client` in a thread client:
                ``headers``, ``auth``, ``transport``, ``verify``, ``timeout`` and others.
            startup: What :meth:`set_as_main` does if the service is unreachable or responds with an error:
                ``"require"`` raises the error; ``"best-effort"`` logs it, serves the snapshot or the defaults, and
                keeps trying. The default is ``"require"`` in an asynchronous client, and ``"best-effort"`` in a thread
                client.
            startup_timeout: The seconds after which the start counts as failed.
            max_staleness: The seconds without a successful update after which values are stale; ``None`` for never.
            on_stale: What happens then: ``"keep"`` keeps the values; ``"default"`` returns to the defaults of the
                declarations until an update succeeds; a function is called once, with the :attr:`status`.
            response_timeout: The seconds within which a whole response must arrive. The time-outs of connecting and of
                each read are those of httpx: 5 seconds unless ``http_client_args`` change them.
            max_body_size: The maximum size of the body of a response in bytes, compressed and decompressed.
            snapshot: The path of a file that keeps the last good state, or of a folder for the file. If the service is
                unreachable at the start, a ``"best-effort"`` client serves this state; see
                ``docs/guides/snapshots.md``.
            push: Whether to receive changes as they happen, from services that offer a stream; see
                ``docs/reference/stream.md``.

        Raises:
            ValueError: If ``service_url`` is not an HTTP URL, or is ``None`` without a ``snapshot``, or another
                argument is out of range.
        """
        self._policy = UpdatePolicy(
            update_interval, startup or self._default_startup, startup_timeout, max_staleness, on_stale, push
        )
        limits = ResponseLimits(response_timeout, max_body_size)
        self._transport = Transport(service_url, self._transport_args(http_client_args), limits)
        if service_url is None and snapshot is None:
            raise ValueError("service_url is None: a client without a service needs a snapshot")
        self._engine = Engine(context_features, self._options_type(), keeps_responses=snapshot is not None)
        self._snapshot_file: SnapshotFile | None = None
        if snapshot is not None:
            features = self._engine.context_features
            self._snapshot_file = SnapshotFile(snapshot, service=str(self._transport), context_features=features)
        self._health = Health(max_staleness, update_interval)
        self._listeners = Listeners()
        self._state: Literal["new", "main", "closed"] = "new"
        self._runner: Runner | None = None
        self._background: BackgroundTasks | None = None
        self._process = os.getpid()
        self._is_inherited = False
        self._restarting = threading.Lock()
        self._create_lock()

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", "")  # the constructor may have failed
        return f"<{type(self).__name__} of {str(transport) or 'no service'}>"

    def track_contexts(self, /, **features: str | Iterable[str]) -> None:
        """Track values of context features. Only rules whose conditions all have tracked values are fetched.

        Args:
            features: By context feature: a value, several values, or :data:`~heksherlite.TRACK_ALL`. They are added to
                what is tracked already.

        Raises:
            RuntimeError: If this mixes :data:`~heksherlite.TRACK_ALL` and single values of a feature.
            ValueError: If the service would refuse a value, or a name looks like a misspelled context feature.
            TypeError: If the values of a feature are neither a string nor iterable.
        """
        self._engine.track_contexts(features)
        self._wake()

    def set_defaults(self, /, **features: str | ContextVar[str]) -> None:
        """Set default values of context features, for callers of ``get`` that omit them.

        Args:
            features: By context feature: a constant, or a context variable that is read at each call. A variable that
                is unset and has no default counts as missing.

        Raises:
            ValueError: If a feature already has a default, or a name looks like a misspelled context feature. No
                default is set then.
            TypeError: If a default is neither a string nor a context variable.
        """
        self._engine.set_defaults(features)

    @property
    def _context_defaults(self) -> ContextDefaults:
        return self._engine.options.defaults

    @property
    def status(self) -> ClientStatus:
        """The status of the client: whether its values are fresh, their source and age, and the last error."""
        self._notice_fork()
        has_ended = self._state == "main" and self._background is not None and not self._background.is_running
        return self._health.status(now(), is_updating=not has_ended, problems=self._engine.problems)

    @property
    def is_updating(self) -> bool:
        """Whether the settings are kept up to date in this process. Takes less than a microsecond.

        It is false before :meth:`set_as_main`, after the client was closed, in a forked process until a setting is read
        there, and whenever the background work has ended. Whether updates succeed is in :attr:`status`.
        """
        background = self._background
        return (
            self._state == "main" and background is not None and background.is_running and self._process == os.getpid()
        )

    def on_change(self, listener: F) -> F:
        """Add a function that is called after each update, once for each setting whose rules or default changed.

        It is called without any lock, on the client's thread or in its event loop, which it should not block. Whatever
        it raises is logged, once for each function.

        Args:
            listener: Called as ``listener(setting, before, after)``, with the rule sets before and after the update.
                May be a coroutine function.

        Returns:
            The function, so that this is a decorator too.

        Raises:
            TypeError: If it cannot be called with these arguments.
        """
        check_signature(listener, "setting, before, after", "a listener of a client", may_be_coroutine=True)
        return self._listeners.add(listener)

    def remove_on_change(self, listener: Callable[..., Any]) -> None:
        """Remove a function that was added with :meth:`on_change`.

        Raises:
            ValueError: If it was not added, or was removed already.
        """
        self._listeners.remove(listener)

    def on_update_ok(self) -> None:  # noqa: B027 - optional
        """Called after each update that succeeded. Does nothing; override it in a subclass."""

    def on_update_error(self, exception: Exception) -> None:  # noqa: B027 - optional
        """Called after each update that failed. Does nothing; override it in a subclass.

        Args:
            exception: What went wrong.
        """

    @property
    def is_live(self) -> bool:
        """Whether the client became the main client, and was not closed."""
        return self._state == "main"

    def _adopt(self, settings: Iterable[Setting[Any]]) -> None:
        self._engine.adopt(settings)
        self._wake()

    def _release(self) -> list[Setting[Any]]:
        settings = self._engine.registry.release()
        for setting in settings:
            setting._observe = None
        return settings

    def _check_successor(self, successor: MainClient) -> None:
        registry = self._engine.registry
        refusals = registry.refusals
        if pending := [setting.name for setting in registry.pending if setting.name not in refusals]:
            raise RuntimeError(f"cannot switch main clients: declarations are pending in {self!r}, of {pending}")
        if not isinstance(successor, BaseClient):
            return
        ours, theirs = self._engine, successor._engine
        if ours.context_features != theirs.context_features:
            raise RuntimeError(
                "cannot switch main clients: they have different context_features, "
                f"{ours.context_features} and {theirs.context_features}"
            )
        if ours.options.tracked != theirs.options.tracked:
            logger.warning(
                "new main heksher client tracks different context options: %s",
                f"{theirs.options.context_filters() or 'none'}; before: {ours.options.context_filters() or 'none'}",
                extra={"previous": dict(ours.options.tracked), "new": dict(theirs.options.tracked)},
            )

    def _after_fork(self) -> None:
        """Prepare the client to be used in a forked child."""
        if self._state != "main" or self._process == os.getpid():
            return
        self._process = os.getpid()
        forking.inherited.append((self._runner, self._background, self._transport))
        self._transport = self._transport.copy()
        self._restarting = threading.Lock()
        self._engine.registry.replace_lock_after_fork()
        self._create_lock()
        self._pause()

    def _pause(self) -> None:
        """Let the settings start the updates again when they are read."""
        self._runner = self._background = None
        self._is_inherited = True
        self._health.streams(False)
        for setting in self._engine.registry.settings:
            if not isinstance(setting._lookup, forking.InheritedLookup):
                setting._lookup = forking.InheritedLookup(setting._lookup, self._use_after_fork)

    def _notice_fork(self) -> None:
        """Detect a fork that was not announced, and start again in the forked process."""
        if self._process != os.getpid():
            forking.tell_clients()
        if self._is_inherited:
            self._use_after_fork()

    def _use_after_fork(self) -> None:
        """Start again, if that is possible here and now. Must not wait, because it happens in ``get``."""
        if self._process != os.getpid():
            forking.tell_clients()
        with self._restarting:
            if self._is_inherited and not uwsgi.loads_application() and self._restart():
                self._end_inheritance()

    def _end_inheritance(self) -> None:
        self._is_inherited = False
        for setting in self._engine.registry.settings:
            if isinstance(setting._lookup, forking.InheritedLookup):
                setting._lookup = setting._lookup.original

    @abstractmethod
    def _create_lock(self) -> None:
        """Set the ``modification_lock``, at first and in a forked child."""

    @abstractmethod
    def _restart(self) -> bool:
        """Start to update settings in a forked child, and return whether that was possible."""

    @abstractmethod
    def _transport_args(self, http_client_args: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the arguments of :class:`httpx.AsyncClient` for those that the program gave."""

    @property
    def _current_state(self) -> ClientState:
        """The state in the status, without the rest of it."""
        background = self._background
        has_ended = self._state == "main" and background is not None and not background.is_running
        return self._health.state(now(), is_updating=not has_ended)

    def _become_main(self) -> None:
        if self._state == "main":
            raise RuntimeError(f"{self!r} is the main client already")
        if not self._engine.options.tracked:
            logger.warning("client tracks no contexts, so it gets no rules: see track_contexts")
        main_client.check_waiting(self._engine.context_features)
        previous, self._state = self._state, "main"
        try:
            main_client.set_main(self)
        except BaseException:
            self._state = previous
            raise
        self._process = os.getpid()
        self._health.started()
        forking.watch(self)

    def _undo_becoming_main(self) -> None:
        self._state = "new"
        self._health.started()
        main_client.step_down(self)

    def _become_closed(self) -> None:
        if self._state == "main":
            self._state = "closed"
            self._health.closed()
        self._end_inheritance()

    def _new_runner(self, modification_lock: AbstractAsyncContextManager[object]) -> Runner:
        return Runner(
            self._engine,
            self._transport,
            self._policy,
            self._health,
            supplier=self,
            status=lambda: self.status,
            modification_lock=modification_lock,
            on_update_ok=self.on_update_ok,
            on_update_error=self.on_update_error,
            snapshot_file=self._snapshot_file,
            listeners=self._listeners,
            declaration_failed=self._declaration_failed,
        )

    def _keep_running(self, runner: Runner) -> None:
        self._runner = runner
        self._background = BackgroundTasks(runner.works())

    def _follow_all_settings(self) -> "AllSettings":
        """Keep all settings of the service up to date from now on, and return them."""
        all_settings = self._engine.all_settings
        if all_settings is None:
            from heksherlite.engine.all_settings import AllSettings  # noqa: PLC0415 - few programs need it

            all_settings = self._engine.all_settings = AllSettings(self._engine.options)
            self._wake()
        return all_settings

    def _move(self, service_url: str | None, http_client_args: Mapping[str, Any] | None) -> None:
        """Use another address or other headers from the next request on, which happens soon.

        Raises:
            ValueError: If that is not possible. Then nothing changes.
        """
        if service_url is None or self._transport.is_offline:
            raise ValueError("a client that has no service, or had none, moves only when the program starts again")
        self._transport.move(service_url, self._transport_args(http_client_args))
        logger.info("client uses changed facts: %s", self._transport, extra={"service": str(self._transport)})
        self._wake()

    def _wake(self) -> None:
        """Bring declarations and rules up to date soon, if that happens in the background."""
        background, runner = self._background, self._runner
        if background is not None and runner is not None:
            background.call_soon(runner.wake)
        elif self._is_inherited:
            self._use_after_fork()
