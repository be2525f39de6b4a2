"""Throws bytes at what reads responses, streams and snapshots: nothing but the documented exceptions may come out.

Usage: ``python benchmarks/fuzz.py {v1,lines,stream,snapshot} [libFuzzer options]``, such as
``python benchmarks/fuzz.py v1 -max_total_time=60``. Needs ``pip install atheris``, which there is for CPython 3.11.
"""

import logging
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

atheris: Any = import_module("atheris")  # not there for every Python, nor for type checkers

with atheris.instrument_imports(include=["heksherlite"]):
    from heksherlite import ServiceResponseError, Setting
    from heksherlite.engine import protocol
    from heksherlite.engine.engine import Engine
    from heksherlite.engine.event_stream import EventStreamReader
    from heksherlite.engine.messages import Flow, Request, Response
    from heksherlite.engine.options import ContextOptions
    from heksherlite.engine.snapshots import KeptResponse, Snapshot, decode, encode
    from heksherlite.errors import SnapshotError

R = TypeVar("R")

_FEATURES = ("environment", "user")


class Service:
    """Responds to queries with whatever bytes come, and everything else as a service does."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._body = b""
        self._setting = Setting("x", int, _FEATURES, 0)
        self._engine = Engine(_FEATURES, ContextOptions())
        self._engine.adopt([self._setting])
        self._perform(self._engine.declare())

    def query(self, body: bytes) -> None:
        """Have the engine take in a body. A refused one must leave the setting as it was."""
        self._body = body
        before = self._setting._lookup
        try:
            update = self._perform(self._engine.fetch())
        except ServiceResponseError:
            assert self._setting._lookup is before
            return
        if update is not None:
            self._engine.apply(update, self)
            assert isinstance(self._setting.get(environment="a", user="b"), int)
            self._engine.return_to_defaults()

    @property
    def is_live(self) -> bool:
        """Stand for a client that supplies rules."""
        return True

    def _perform(self, flow: Flow[R]) -> R:
        try:
            requests = next(flow)
            while True:
                requests = flow.send([self._response(request) for request in requests])
        except StopIteration as stop:
            result: R = stop.value
            return result

    def _response(self, request: Request) -> Response:
        if request.path == "/api/v1/query":
            return Response(request, 200, self._body, None, self._media_type)
        if request == protocol.CONTEXT_FEATURES:
            return Response(request, 200, b'{"context_features":["environment","user"]}')
        return Response(request, 200, b'{"outcome":"uptodate","name":"x"}')


def read_stream(data: bytes) -> None:
    """Read a stream of events, cut where its first byte says."""
    reader = EventStreamReader()
    cut = data[0] if data else 0
    for piece in (data[:cut], data[cut:]):
        for event in reader.read(piece):
            assert 0 <= event.spread <= 60


def read_snapshot(data: bytes) -> None:
    """Read a snapshot whose digest is right, so that what is behind that is tried too."""
    head, _, contents = data.partition(b"\n")
    digest = sha256(head + contents).hexdigest().encode()
    with suppress(SnapshotError):
        decode(head + b',"sha256":"' + digest + b'"}\n' + contents)


_V1 = b"""{"settings":{"x":{"default_value":1,"rules":[
{"rule_id":1,"value":5,"context_features":[["environment","a"],["user","b"]]},
{"rule_id":2,"value":6,"context_features":[["user","b"]]}]}}}"""

_LINES = b"""{"context_features":["environment","user"]}
{"setting":"x","default_value":1,"whole":false,"removed":[3]}
{"rule_ids":[1,2],"context_features":["user"],"context_values":[["a","b"]],"values":[1,2]}
{"settings":1}
"""

_STREAM = b"""\x30retry: 2000\nevent: ready\nid: 5\ndata: {"spread":0.5}\n\nid: 6\r\n\r\n"""

_ANSWER = KeptResponse(200, protocol.LINES, '"1"', _LINES)
_SNAPSHOT = encode(Snapshot("http://a", _FEATURES, "*", datetime(2026, 1, 31, tzinfo=UTC), (_ANSWER,)))

TARGETS: Mapping[str, tuple[Callable[[], Callable[[bytes], None]], bytes]] = {
    "v1": (lambda: Service(protocol.JSON).query, _V1),
    "lines": (lambda: Service(protocol.LINES).query, _LINES),
    "stream": (lambda: read_stream, _STREAM),
    "snapshot": (lambda: read_snapshot, re.sub(rb',"sha256":"[^"]*"}', b"", _SNAPSHOT)),
}
"""What is fuzzed, with a first example."""


def main() -> None:
    """Run what is asked for."""
    name, *options = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(__doc__)
    logging.disable(logging.CRITICAL)
    make, example = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="heksherlite-fuzz-") as corpus:
        Path(corpus, "example").write_bytes(example)
        atheris.Setup([sys.argv[0], *options, corpus], make())
        atheris.Fuzz()


if __name__ == "__main__":
    main()
