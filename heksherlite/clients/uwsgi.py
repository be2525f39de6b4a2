"""Clients in uWSGI, which forks its workers in its own way.

uWSGI loads an application in its master process, unless told otherwise, and then forks without telling Python and
without holding the interpreter lock. If another thread held the lock at that moment, the worker never gets it. So a
client must not have a thread in the master, and its workers are told by a hook of uWSGI's own.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

_master: int | None = None


def _uwsgi() -> Any:
    """Return the module that uWSGI adds to the interpreters that it runs, or ``None`` elsewhere."""
    module = sys.modules.get("uwsgi")
    return module if hasattr(module, "worker_id") else None


def loads_application() -> bool:
    """Return whether this is uWSGI's master process, and not a worker or another program."""
    uwsgi = _uwsgi()
    return uwsgi is not None and uwsgi.worker_id() == 0 and _master in (None, os.getpid())


def call_after_fork(function: Callable[[], object]) -> None:
    """Have a function called in each worker, after it was forked from this process."""
    global _master  # noqa: PLW0603 - the master of this process and its children
    if _master is not None:
        return
    _master = os.getpid()
    try:
        decorators = import_module("uwsgidecorators")  # a module of uWSGI, which only exists there
    except Exception:  # noqa: BLE001 - there is none, or it refuses to be used without a master process
        _chain(function)
    else:
        decorators.postfork_chain.append(function)


def _chain(function: Callable[[], object]) -> None:
    uwsgi = _uwsgi()
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        if earlier is not None:
            earlier()
        function()

    uwsgi.post_fork_hook = hook
