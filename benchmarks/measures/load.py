"""The processor time of loading and reloading rules."""

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import httpx
import orjson

from benchmarks.data import Rules, many_settings, one_setting, v1_response
from benchmarks.measures.canned import URL, CannedService, QueryResponse, RecordingTransport
from benchmarks.measures.program import MeasuredAsyncClient, async_client, declare, set_apart
from benchmarks.measures.service import Service, running
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from heksherlite import Setting


class Stopwatch:
    """Measures the processor time of this process, in seconds, from the arrival of rules to their being in force."""

    def __init__(self) -> None:
        self.started = 0.0
        self.stopped = 0.0
        self.query: httpx.Request | None = None

    def stop(self) -> None:
        """Stop, because the update is in force."""
        self.stopped = time.process_time()

    async def start_at_query(self, response: httpx.Response) -> None:
        """Start, because the headers of a response arrived; a hook for httpx."""
        if response.request.url.path.endswith("/query"):
            self.started = time.process_time()
            self.query = response.request


def milliseconds_of_parsing(response: QueryResponse) -> float:
    """Return the processor time that orjson takes for the same bytes with the garbage collector off."""
    pieces = response.body.splitlines() if is_lines(response) else [response.body]
    with without_collections():
        started = time.process_time()
        parsed = [orjson.loads(piece) for piece in pieces]
        took = time.process_time() - started
    assert parsed
    return took * 1e3


def milliseconds_of_dictionaries(response: QueryResponse) -> float:
    """Return what it takes to parse lines and to put their values into dictionaries, and to do nothing else."""
    pieces = response.body.splitlines()
    with without_collections():
        started = time.process_time()
        settings: list[dict[str, int]] = []
        for piece in pieces:
            line = orjson.loads(piece)
            if "setting" in line:
                settings.append({})
            elif "rule_ids" in line:
                settings[-1].update(zip(line["context_values"][0], line["values"], strict=True))
        took = time.process_time() - started
    assert all(settings)
    return took * 1e3


def is_lines(response: QueryResponse) -> bool:
    """Tell whether a response is in lines, and not the v1 response."""
    return response.headers["Content-Type"].startswith("application/x-ndjson")


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep the garbage collector from running."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check(declared: Mapping[str, Setting[int]], settings: Mapping[str, Rules]) -> None:
    """Check that a setting's last rule is in force, for each setting."""
    for name, rules in settings.items():
        ((_, user),), value = list(rules.items())[-1]
        assert declared[name].get(user=user) == value, name


def milliseconds_from_memory(response: QueryResponse, settings: Mapping[str, Rules]) -> float:
    """Return the processor time of a first load from the bytes in hand to the settings serving."""
    transport, stopwatch = CannedService(response), Stopwatch()
    declared = declare(settings)

    async def load() -> None:
        async with MeasuredAsyncClient(URL, {"transport": transport}, stopwatch.stop):
            check(declared, settings)

    gc.collect()
    asyncio.run(load())
    return (stopwatch.stopped - transport.responded_at) * 1e3


def first_load_row(what: str, response: QueryResponse, settings: Mapping[str, Rules], size: Size) -> Row:
    """Measure a first load of these bytes."""
    ours, floor, dictionaries = [], [], []
    for _ in range(size.loads):
        floor.append(milliseconds_of_parsing(response))
        if is_lines(response):
            dictionaries.append(milliseconds_of_dictionaries(response))
        ours.append(milliseconds_from_memory(response, settings))
    note = f"{len(response.body) / 1e6:.1f} MB"
    if dictionaries:
        times = statistics.median(dictionaries) / statistics.median(floor)
        note += f"; parsed and put into dictionaries: x{times:.2f}"
    return Row("load", what, "ms", ours, floor, 3, note=note)


def record(service: Service, settings: Mapping[str, Rules]) -> tuple[QueryResponse, str]:
    """Return what the service responses to our client, and how large it was on its way."""
    transport = RecordingTransport()
    declared = declare(settings)

    async def load() -> None:
        async with async_client(service.url, transport=transport):
            check(declared, settings)

    asyncio.run(load())
    response = transport.recorded
    return response, f"{response.headers.get('content-type', '')}, {transport.size / 1e6:.1f} MB sent"


async def reload_rows(what: str, service: Service, settings: Mapping[str, Rules], size: Size) -> list[Row]:
    """Measure a first load, and reloads with little or no news, from the service."""
    declared = declare(settings)
    stopwatch = Stopwatch()
    client = MeasuredAsyncClient(service.url, {"event_hooks": {"response": [stopwatch.start_at_query]}}, stopwatch.stop)
    async with client:
        check(declared, settings)
        first = (stopwatch.stopped - stopwatch.started) * 1e3
        name, rules = list(settings.items())[-1]
        ((_, user),) = list(rules)[-1]
        one_changed = []
        for value in range(5000, 5001 + size.loads):
            await asyncio.to_thread(service.change_one_rule, value)
            one_changed.append(await milliseconds(client.reload))
            assert declared[name].get(user=user) == value

        async def reload_often() -> None:
            for _ in range(size.unchanged):
                await client.reload()

        unchanged, bare = [], []
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(size.loads + 1):
                unchanged.append(await milliseconds(reload_often) / size.unchanged)
                bare.append(
                    await milliseconds(partial(send_again, http, stopwatch.query, size.unchanged)) / size.unchanged
                )
        tracemalloc.start()
        for _ in range(10):  # until what is allocated, freed and reused has been seen
            await reload_often()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            await reload_often()
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    return [
        # The first of each warms up what happens once in a client's life.
        Row("load", f"reload, one rule changed, {what}", "ms", one_changed[1:], [first], 0.05),
        Row("load", f"reload, nothing changed, {what}", "ms", unchanged[1:], bare[1:], 1.5, note="floor: a bare 304"),
        Row("load", f"growth by {5 * size.unchanged} of these, {what}", "kB", [growth / 1e3], (), 4, "value"),
    ]


async def send_again(http: httpx.AsyncClient, query: httpx.Request | None, times: int) -> None:
    """Send a query whose response is 304, and parse ten empty objects each time."""
    assert query is not None
    for _ in range(times):
        response = await http.get(query.url, headers=query.headers)
        assert response.status_code == 304
        for _ in range(10):
            orjson.loads(b"{}")


async def milliseconds(function: Callable[[], object]) -> float:
    """Return the processor time of a call in milliseconds."""
    gc.collect()
    started = time.process_time()
    await function()  # type: ignore[misc]
    return (time.process_time() - started) * 1e3


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    many, one = many_settings(size.rules), one_setting(size.rules)
    set_apart()
    rows = []
    for what, settings in ((f"{len(many):,} settings", many), ("1 setting", one)):
        what = f"{size.rules:,} rules in {what}"  # noqa: PLW2901
        v1 = QueryResponse(v1_response(settings))
        rows.append(first_load_row(f"first load, any v1 service, {what}", v1, settings, size))
        with running(settings) as service:
            response, note = record(service, settings)
            row = first_load_row(f"first load, our service, {what}", response, settings, size)
            rows += [row, *asyncio.run(reload_rows(what, service, settings, size))]
        print(f"{what}: {note}", file=sys.stderr)
    write_rows(rows)


if __name__ == "__main__":
    main()
