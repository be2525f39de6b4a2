"""What the measured program has: settings, a client, and contexts."""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from benchmarks.data import DEFAULT, ENVIRONMENT, FEATURES, THEME
from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient

theme: ContextVar[str] = ContextVar("theme")

NEVER = 1e9
"""An update interval, in seconds, that never ends while something is measured."""

_STARTUP_TIMEOUT = 120.0
"""In seconds: a thousand declarations may take long where something else is going on too."""


def declare(names: Iterable[str], features: Sequence[str] = FEATURES) -> dict[str, Setting[int]]:
    """Declare settings of these names."""
    return {name: Setting(name, int, features, DEFAULT) for name in names}


class MeasuredAsyncClient(AsyncHeksherClient):
    """An asynchronous client that tells when an update is in force.

    Args:
        url: Where the service is.
        http_client_args: As for the client.
        when_updated: Called then.
    """

    def __init__(self, url: str, http_client_args: Mapping[str, Any], when_updated: Callable[[], object]) -> None:
        super().__init__(
            url, NEVER, FEATURES, http_client_args=http_client_args, push=False, startup_timeout=_STARTUP_TIMEOUT
        )
        self._when_updated = when_updated
        _configure(self)

    def on_update_ok(self) -> None:
        """Tell."""
        self._when_updated()


def set_apart() -> None:
    """Keep what exists by now out of the garbage collector's work: a program does not hold its rules twice."""
    gc.collect()
    gc.freeze()


def async_client(url: str, **http_client_args: Any) -> AsyncHeksherClient:
    """Return an asynchronous client that stands in for everything but the user."""
    return MeasuredAsyncClient(url, http_client_args, lambda: None)


def thread_client(url: str) -> ThreadHeksherClient:
    """Return a client of threads that stands in for everything but the user."""
    client = ThreadHeksherClient(url, NEVER, FEATURES, push=False, startup_timeout=_STARTUP_TIMEOUT)
    _configure(client)
    return client


def _configure(client: AsyncHeksherClient | ThreadHeksherClient) -> None:
    theme.set(THEME)
    client.set_defaults(environment=ENVIRONMENT, theme=theme)
    client.track_contexts(environment=TRACK_ALL, user=TRACK_ALL, theme=TRACK_ALL)
