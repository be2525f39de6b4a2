"""A WSGI application whose client starts before the server forks its workers."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient

setting = Setting("x", int, ["user"], 1)
client = ThreadHeksherClient(os.environ["SERVICE_URL"], 0.05, ["user"])
client.track_contexts(user=TRACK_ALL)
client.set_as_main()


def app(_: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Respond with the process id of the worker and the value that it reads."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {setting.get(user='a')}".encode()]
