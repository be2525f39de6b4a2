"""Which threads are the clients', where services run in the same process, and event loops keep idle threads."""

import threading

_OF_OTHERS = ("process_request_thread", "_connection_worker_thread", "AnyIO worker thread", "Trio thread")


def own_threads() -> set[threading.Thread]:
    """Return the threads that are neither of a scripted or embedded service, nor of an event loop's pool."""
    return {thread for thread in threading.enumerate() if not any(name in thread.name for name in _OF_OTHERS)}
