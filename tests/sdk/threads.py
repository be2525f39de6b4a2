"""Which threads are the clients', where services run in the same process."""

import threading

_OF_SERVICES = ("process_request_thread", "_connection_worker_thread")


def own_threads() -> set[threading.Thread]:
    """Return the threads that are neither those of a scripted service nor those of an embedded one's database."""
    return {thread for thread in threading.enumerate() if not any(name in thread.name for name in _OF_SERVICES)}
