"""What the asynchronous and the thread client have in common."""

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from time import monotonic
from typing import Any, ClassVar, Literal, TypeVar

from heksherlite import main_client
from heksherlite.clients import forking
from heksherlite.clients.background import BackgroundTask
from heksherlite.clients.policy import UpdatePolicy
from heksherlite.clients.runner import Runner
from heksherlite.clients.snapshot_file import SnapshotFile
from heksherlite.engine.engine import Engine
from heksherlite.engine.health import ClientStatus, Health
from heksherlite.engine.options import ContextOptions
from heksherlite.http.transport import Transport
from heksherlite.listeners import Listeners
from heksherlite.main_client import MainClient
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class BaseClient(ABC):
    """A client of a settings service.

    Args:
        context_features: The context features in the order that the program expects, most general first.
        transport: How to reach the service.
        policy: How it starts, polls, and treats values that grow old.
        snapshot: The file or folder that keeps the last good state, if any.

    Attributes:
        engine: What the client knows and does, without I/O.
        health: What became of its updates.
        listeners: What :meth:`on_change` added.
    """

    _declaration_failed: ClassVar[str]

    def __init__(
        self,
        context_features: Sequence[str],
        transport: Transport,
        policy: UpdatePolicy,
        snapshot: str | os.PathLike[str] | None,
    ) -> None:
        if transport.is_offline and snapshot is None:
            raise ValueError("service_url is None: a client without a service needs a snapshot")
        self.engine = Engine(context_features, ContextOptions(), keeps_responses=snapshot is not None)
        self._snapshot_file = (
            None
            if snapshot is None
            else SnapshotFile(snapshot, service=str(transport), context_features=self.engine.context_features)
        )
        self.health = Health(policy.max_staleness)
        self.listeners = Listeners()
        self._transport = transport
        self._policy = policy
        self._state: Literal["new", "main", "closed"] = "new"
        self._runner: Runner | None = None
        self._background: BackgroundTask | None = None
        self._is_inherited = False
        self._restarting = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {str(self._transport) or 'no service'}>"

    def track_contexts(self, /, **features: str | Iterable[str]) -> None:
        """Ask for the rules about some contexts; those of other contexts are not fetched.

        Args:
            features: By context feature: a value, several values, or :data:`~heksherlite.TRACK_ALL`. They add to
                what is tracked already.

        Raises:
            RuntimeError: If this mixes :data:`~heksherlite.TRACK_ALL` and single values.
            ValueError: If a value cannot be a value of a context feature.
        """
        self.engine.track_contexts(features)
        self._wake()

    def set_defaults(self, /, **features: str | ContextVar[str]) -> None:
        """Let something stand in for context features that a caller of ``get`` leaves out.

        Args:
            features: By context feature: a constant, or a context variable that is read at each call. One that is
                unset, and has no default, counts as missing.

        Raises:
            ValueError: If something stands in for one of them already; then none is set.
            TypeError: If it is neither a string nor a context variable.
        """
        self.engine.set_defaults(features)

    @property
    def status(self) -> ClientStatus:
        """How well the client is: whether its values are fresh, from where, how old, and what went wrong last."""
        return self.health.status(monotonic(), undeclared=len(self.engine.registry.pending))

    def on_change(self, listener: F) -> F:
        """Have a function called after each update, once for each setting whose rules or default changed.

        It is called without any lock, on the client's thread or in its event loop, which it should not hold up. What
        it raises is logged, once for each function.

        Args:
            listener: Called as ``listener(setting, before, after)``, with the rule sets before and after the update.
                May be a coroutine function.

        Returns:
            The function, so that this is a decorator too.
        """
        return self.listeners.add(listener)

    def remove_on_change(self, listener: Callable[..., Any]) -> None:
        """Call a function no more that was given to :meth:`on_change`.

        Raises:
            ValueError: If it was not, or was removed already.
        """
        self.listeners.remove(listener)

    def on_update_ok(self) -> None:  # noqa: B027 - optional
        """Do something after an update went well. For subclasses; does nothing here."""

    def on_update_error(self, exception: Exception) -> None:  # noqa: B027 - optional
        """Do something after an update failed. For subclasses; does nothing here.

        Args:
            exception: What went wrong.
        """

    @property
    def is_live(self) -> bool:
        """Whether this was made the main client, and was not closed."""
        return self._state == "main"

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Serve these settings too. Called by the package, from any thread."""
        self.engine.adopt(settings)
        self._wake()

    def release(self) -> list[Setting[Any]]:
        """Give up all settings. Called by the package, when another client becomes the main one."""
        return self.engine.registry.release()

    def check_successor(self, successor: MainClient) -> None:
        """Refuse to hand over, or warn. Called by the package, when another client becomes the main one.

        Raises:
            RuntimeError: If declarations are pending, or the other client has other context features.
        """
        if pending := [setting.name for setting in self.engine.registry.pending]:
            raise RuntimeError(f"cannot switch main clients: declarations are pending in {self!r}, of {pending}")
        if not isinstance(successor, BaseClient):
            return
        ours, theirs = self.engine, successor.engine
        if ours.context_features != theirs.context_features:
            raise RuntimeError(
                "cannot switch main clients: they have different context_features, "
                f"{ours.context_features} and {theirs.context_features}"
            )
        if ours.options.tracked != theirs.options.tracked:
            logger.warning(
                "new main heksher client tracks different context options",
                extra={"previous": dict(ours.options.tracked), "new": dict(theirs.options.tracked)},
            )

    def after_fork(self) -> None:
        """Get ready to be used in a forked child. Called by the package."""
        if self._state != "main":
            return
        forking.inherited.append((self._runner, self._background, self._transport))
        self._runner = self._background = None
        self._transport = self._transport.copy()
        self._restarting = threading.Lock()
        self._is_inherited = True
        self.health.streams(False)
        self.engine.registry.after_fork()
        for setting in self.engine.registry.settings:
            if not isinstance(setting._lookup, forking.InheritedLookup):
                setting._lookup = forking.InheritedLookup(setting._lookup, self._use_after_fork)

    def _use_after_fork(self) -> None:
        """Start again, if that is possible here and now. Must not wait, because it happens in ``get``."""
        with self._restarting:
            if self._is_inherited and self._restart():
                self._end_inheritance()

    def _end_inheritance(self) -> None:
        self._is_inherited = False
        for setting in self.engine.registry.settings:
            if isinstance(setting._lookup, forking.InheritedLookup):
                setting._lookup = setting._lookup.original

    @abstractmethod
    def _restart(self) -> bool:
        """Start to refresh settings in a forked child; return whether that was possible."""

    def _become_main(self) -> None:
        if self._state == "main":
            raise RuntimeError(f"{self!r} is the main client already")
        if not self.engine.options.tracked:
            logger.warning("client tracks no contexts, so it gets no rules: see track_contexts")
        previous, self._state = self._state, "main"
        try:
            main_client.set_main(self)
        except BaseException:
            self._state = previous
            raise
        self.health.started()
        forking.watch(self)

    def _become_closed(self) -> None:
        if self._state == "main":
            self._state = "closed"
            self.health.closed()
        self._end_inheritance()

    def _new_runner(self, modification_lock: AbstractAsyncContextManager[object]) -> Runner:
        return Runner(
            self.engine,
            self._transport,
            self._policy,
            self.health,
            supplier=self,
            modification_lock=modification_lock,
            on_update_ok=self.on_update_ok,
            on_update_error=self.on_update_error,
            snapshot_file=self._snapshot_file,
            listeners=self.listeners,
            declaration_failed=self._declaration_failed,
        )

    def _keep_running(self, runner: Runner) -> None:
        self._runner = runner
        self._background = BackgroundTask(runner.run)

    def _wake(self) -> None:
        """Have declarations and rules brought up to date soon, if that runs in the background."""
        background, runner = self._background, self._runner
        if background is not None and runner is not None:
            background.call_soon(runner.wake)
        elif self._is_inherited:
            self._use_after_fork()
