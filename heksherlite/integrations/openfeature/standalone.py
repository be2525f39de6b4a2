"""The client of a provider that was given a URL."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from heksherlite.clients import forking
from heksherlite.clients.thread_client import ThreadHeksherClient
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.queries import ContextFilter, QuerySize


class _EveryContext(ContextOptions):
    """Tracks every context feature of the service."""

    def filter_portions(self, size: QuerySize) -> Sequence[ContextFilter]:
        """Return the filter that selects every rule."""
        del size
        return [ContextFilter("*")]

    def tracked_values(self, feature: str) -> None:
        """Return ``None``: all values are tracked."""
        del feature


class StandaloneClient(ThreadHeksherClient):
    """A thread client without settings of the program. It tracks everything, and is not the main client.

    Args:
        service_url: The URL of the service.
        options: Other arguments of :class:`~heksherlite.ThreadHeksherClient`. The ``update_interval`` is 60 seconds by
            default.
    """

    _options_type: ClassVar[type[ContextOptions]] = _EveryContext

    def __init__(self, service_url: str, **options: Any) -> None:
        super().__init__(service_url, **{"update_interval": 60, "context_features": (), **options})

    def _become_main(self) -> None:
        if self._state == "main":
            raise RuntimeError(f"{self!r} is running already")
        self._state = "main"
        self._process = os.getpid()
        self._health.started()
        forking.watch(self)

    def _undo_becoming_main(self) -> None:
        self._state = "new"
        self._health.started()
