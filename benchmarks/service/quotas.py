"""Quotas: what it takes to count what each client uses."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import filled, service
from benchmarks.service.reads import load
from benchmarks.service.sizes import Sizes
from heksherlite.service.api.quotas import Quotas, client_of
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.limits import Limits

_CLIENTS: Final = 1_000
_TIMES: Final = 20_000
_QUERY: Final = "/api/v1/query"


def quotas(sizes: Sizes) -> list[Row]:
    """Measure the quotas of a read and of a write, beside the time that the service takes for a 304."""
    authors = [Author("token", f"t{number}", id=f"hkl_{number:08x}") for number in range(_CLIENTS)]
    counted = Quotas(Limits())
    for author in authors:
        counted.hold_read(_new_request(), client_of(author))
        counted.add_history(author, 1)
    author, request = authors[-1], _new_request()

    def read() -> None:
        counted.hold_read(request, client_of(author))
        counted.release(request)

    def write() -> None:
        counted.require_history(client_of(author))
        counted.add_history(author, 1)

    reads, writes, responses = [], [], []
    with filled(sizes.settings, sizes.rules_each) as database, service(database) as ours:
        response = httpx.get(ours.url + _QUERY, headers={"Accept-Encoding": "identity"}, timeout=60).raise_for_status()
        tag = response.headers["etag"]
        for _ in range(sizes.repeats):
            reads.append(_microseconds(read))
            writes.append(_microseconds(write))
            responses.append(load(ours.url + _QUERY, {"If-None-Match": tag}, 304, sizes.seconds))
    note = f"{_CLIENTS:,} clients"
    return [
        Row("quotas", "the quotas of a read", "µs", reads, responses, target=0.05, note=note),
        Row("quotas", "the quotas of a write", "µs", writes, responses, target=0.05, note=note),
    ]


def _new_request() -> dict[str, Any]:
    return {"state": {}}


def _microseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    for _ in range(_TIMES):
        work()
    return (time.perf_counter() - start) / _TIMES * 1e6
