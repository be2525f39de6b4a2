"""What the asynchronous and the thread client have in common: everything but the I/O."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from time import monotonic
from typing import Any, Literal, TypeVar

from heksherlite import main_client
from heksherlite.clients.policy import UpdatePolicy
from heksherlite.engine.engine import Engine
from heksherlite.engine.health import ClientStatus, Health
from heksherlite.engine.options import ContextOptions
from heksherlite.listeners import Listeners
from heksherlite.main_client import MainClient
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class BaseClient:
    """A client of a settings service.

    Args:
        context_features: The context features in the order that the program expects, most general first.

        policy: How it starts, polls, and treats values that grow old.

    Attributes:
        engine: What the client knows and does, without I/O.
        policy: The same.
        health: What became of its updates.
        listeners: What :meth:`on_change` added.
    """

    def __init__(self, context_features: Sequence[str], policy: UpdatePolicy) -> None:
        self.engine = Engine(context_features, ContextOptions())
        self.policy = policy
        self.health = Health(policy.max_staleness)
        self.listeners = Listeners()
        self._state: Literal["new", "main", "closed"] = "new"

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
        return self.health.status(monotonic())

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

    def on_update_ok(self) -> None:
        """Do something after an update went well. For subclasses; does nothing here."""

    def on_update_error(self, exception: Exception) -> None:
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
        return self.engine.release()

    def check_successor(self, successor: MainClient) -> None:
        """Refuse to hand over, or warn. Called by the package, when another client becomes the main one.

        Raises:
            RuntimeError: If declarations are pending, or the other client has other context features.
        """
        if pending := [setting.name for setting in self.engine.pending]:
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

    def _wake(self) -> None:
        """Have declarations and rules brought up to date soon, if that runs in the background."""
