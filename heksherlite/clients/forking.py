"""Clients in a forked child.

Of all threads, only the one that forked exists in the child, and the connections are the parent's. So each main client
leaves all of that alone and makes its own, but only when it is used: most children never read a setting.
"""

import os
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from heksherlite.contexts import ContextCompletion
from heksherlite.lookup import DefaultSource, Lookup
from heksherlite.rule_sets import Context


class Forkable(Protocol):
    """A client."""

    def _after_fork(self) -> None:
        """Prepare the client to be used in a forked child."""

    def _use_after_fork(self) -> None:
        """Start the client in a forked child."""


_clients: WeakSet[Forkable] = WeakSet()

inherited: list[object] = []
"""Objects of the parent. They are kept, because finalizing them might disturb the parent or print warnings."""


def watch(client: Forkable) -> None:
    """Tell a client about forks from now on."""
    _clients.add(client)


def tell_clients() -> None:
    """Tell all clients that this process was forked. They do nothing if they know."""
    for client in list(_clients):
        client._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=tell_clients)


def start_in_worker() -> None:
    """Start all clients in this process, which is a worker of uWSGI."""
    for client in list(_clients):
        client._after_fork()
        client._use_after_fork()


class InheritedLookup(Lookup):
    """The lookup of a setting in a forked child until its first use, which makes the client update it again.

    Args:
        original: The lookup in the parent.
        use: Called at the first use.
    """

    __slots__ = ("original", "use")

    def __init__(self, original: Lookup, use: Callable[[], object]) -> None:
        super().__init__(
            original.setting_name,
            original.rules,
            original.default,
            original.contexts,
            original.default_source,
            original.rejected,
        )
        self.original = original
        self.use = use

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub."""
        return self.original.loaded

    def served(self) -> Lookup:
        """Return what the client of the parent put in force, as a lookup of the same kind."""
        served = self.original.served()
        return self if served is self.original else InheritedLookup(served, self.use)

    def chosen(self, given: Context) -> Lookup:
        """Return the lookup from which a read gets its value."""
        return self.original.chosen(given)

    def with_default(self, default: Any, default_source: DefaultSource) -> Lookup:
        """Return a lookup of the same kind with another default."""
        return InheritedLookup(self.original.with_default(default, default_source), self.use)

    def with_contexts(self, contexts: ContextCompletion) -> Lookup:
        """Return a lookup of the same kind with another completion of contexts."""
        return InheritedLookup(self.original.with_contexts(contexts), self.use)

    def __missing__(self, key: Any) -> Any:
        """Make the client start, and return the value that the setting had in the parent."""
        self.use()
        return self.original[key]
