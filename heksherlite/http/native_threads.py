"""Threads of the operating system, also in a program that gevent or eventlet has patched."""

import sys
import threading
from collections.abc import Callable
from importlib import import_module


def start_native_thread(function: Callable[[], object], name: str) -> None:
    """Start a daemon thread of the operating system.

    In a patched program, :class:`threading.Thread` is a greenlet. An event loop of asyncio in a greenlet would keep all
    other greenlets from using asyncio, which allows one running event loop for each thread of the operating system.

    Args:
        function: What the thread does.
        name: The name of the thread, if the program is not patched.

    Raises:
        RuntimeError: If the system cannot start another thread, or eventlet has patched the program.
    """
    monkey = sys.modules.get("gevent.monkey")
    patcher = sys.modules.get("eventlet.patcher")
    if monkey is not None and monkey.is_module_patched("threading"):
        # It imports trio, which runs a program. In a program that is patched, only this thread can do that.
        import_module("httpcore")
        # Each thread gets a hub of its own. The first hub imports modules, and two threads that do that at once wait
        # for ever: gevent has patched the import locks too, and taking one of them may need a hub.
        import_module("gevent").get_hub()
        monkey.get_original("_thread", "start_new_thread")(function, ())
    elif patcher is not None and patcher.is_monkey_patched("thread"):
        raise RuntimeError(
            "eventlet has patched the threads of this program, so that no event loop can run beside it: "
            "use gevent, or do not call eventlet.monkey_patch()"
        )
    else:
        threading.Thread(target=function, name=name, daemon=True).start()
