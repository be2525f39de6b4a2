"""The process's main client, and the settings that wait for one."""

import logging
import os
import threading
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias
from weakref import WeakValueDictionary

logger = logging.getLogger(__name__)

AnySetting: TypeAlias = Any
"""A `Setting`. This module only keeps settings and hands them on, and `heksherlite.setting` imports it."""


class MainClient(Protocol):
    """What a client has to be to become the main one."""

    @property
    def is_live(self) -> bool:
        """Whether it still serves its settings, and takes new ones."""
        ...

    def _adopt(self, settings: Iterable[AnySetting]) -> None:
        """Serve these settings too. Called from any thread; does not wait."""

    def _release(self) -> list[AnySetting]:
        """Give up all settings, and return them."""
        ...

    def _check_successor(self, successor: "MainClient") -> None:
        """Raise a :class:`RuntimeError` if the other client cannot take over, and warn of what differs."""


_lock = threading.RLock()
_main: MainClient | None = None
_waiting: WeakValueDictionary[int, AnySetting] = WeakValueDictionary()


def register(setting: AnySetting) -> None:
    """Hand a new setting to the main client, or let it wait for one."""
    with _lock:
        if _main is not None and _main.is_live:
            _main._adopt([setting])
        else:
            _waiting[id(setting)] = setting


def set_main(client: MainClient) -> None:
    """Make a client the main one, and hand it the settings that wait and those of the previous one.

    Raises:
        RuntimeError: If the previous main client cannot hand over; it stays the main one.
    """
    global _main  # noqa: PLW0603 - the main client is what this module is for
    with _lock:
        settings: list[AnySetting] = []
        if _main is not None and _main is not client:
            if _main.is_live:
                _main._check_successor(client)
                logger.warning(
                    "switching main heksher clients! this is NOT recommended! (unless this is a test)",
                    extra={"previous_client": repr(_main), "new_client": repr(client)},
                )
            settings += _main._release()
        settings += _waiting.values()
        _waiting.clear()
        _main = client
        client._adopt(settings)


def step_down(client: MainClient) -> None:
    """Make a client the main one no longer, if it is; its settings wait for the next."""
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
