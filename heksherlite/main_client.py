"""The main client of the process, and the settings that wait for one."""

import logging
import os
import threading
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias
from weakref import WeakValueDictionary

from heksherlite.contexts import ContextDefaults
from heksherlite.setting_arguments import check_known_features

logger = logging.getLogger(__name__)

AnySetting: TypeAlias = Any
"""A `Setting`. This module only keeps settings and hands them on, and `heksherlite.setting` imports it."""


class MainClient(Protocol):
    """A client that can become the main client."""

    @property
    def is_live(self) -> bool:
        """Whether the client still updates its settings, and accepts new ones."""
        ...

    @property
    def _context_defaults(self) -> ContextDefaults:
        """The default values of context features."""
        ...

    def set_defaults(self, /, **features: str | ContextVar[str]) -> None:
        """Set default values of context features."""

    def _adopt(self, settings: Iterable[AnySetting]) -> None:
        """Add settings. Called from any thread. Does not wait."""

    def _release(self) -> list[AnySetting]:
        """Remove all settings, and return them."""
        ...

    def _check_successor(self, successor: "MainClient") -> None:
        """Raise a :class:`RuntimeError` if the other client cannot take over, and warn about differences."""


_lock = threading.RLock()
_main: MainClient | None = None
_waiting: WeakValueDictionary[int, AnySetting] = WeakValueDictionary()


def register(setting: AnySetting) -> None:
    """Add a new setting to the main client, or let it wait for one."""
    with _lock:
        if _main is not None and _main.is_live:
            _main._adopt([setting])
        else:
            _waiting[id(setting)] = setting


def check_waiting(context_features: Collection[str]) -> None:
    """Refuse a waiting setting whose features were written as one string.

    Args:
        context_features: The context features of the client that would add the settings.

    Raises:
        ValueError: If a waiting setting has such features.
    """
    with _lock:
        for setting in _waiting.values():
            check_known_features(setting.name, setting.configurable_features, context_features)


def set_main(client: MainClient) -> None:
    """Make a client the main client, and give it the waiting settings and those of the previous main client.

    Raises:
        RuntimeError: If it cannot take over from the previous main client, which then stays the main client.
    """
    global _main  # noqa: PLW0603 - the main client is what this module is for
    with _lock:
        settings: list[AnySetting] = []
        if _main is not None and _main is not client:
            if _main.is_live:
                _main._check_successor(client)
                logger.warning(
                    "switching main heksher clients! this is NOT recommended! (unless this is a test): %s",
                    f"from {_main!r} to {client!r}",
                    extra={"previous_client": repr(_main), "new_client": repr(client)},
                )
            settings += _main._release()
        settings += _waiting.values()
        _waiting.clear()
        _main = client
        client._adopt(settings)


def step_down(client: MainClient) -> None:
    """Remove the main client if it is this one. Its settings wait for the next main client."""
    global _main  # noqa: PLW0603
    with _lock:
        if _main is client:
            _main = None
            for setting in client._release():
                _waiting[id(setting)] = setting


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def main() -> MainClient | None:
    """Return the main client, if there is one."""
    return _main
