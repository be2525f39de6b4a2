"""How long a program waits for its own event loop, or for `get`, while rules are loaded."""

import asyncio
import gc
import multiprocessing
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from benchmarks.data import Rules, many_settings, one_setting
from benchmarks.measures.program import async_client, declare, set_apart, thread_client
from benchmarks.measures.service import Service, running
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from heksherlite import Setting

_TICK = 0.001
_BURST, _PAUSE = 0.001, 0.0001
_TARGET = 2

Samples: TypeAlias = dict[str, list[float]]
"""Milliseconds by what happened meanwhile: ``first load``, ``reload``, or the load in another process."""


class Collections:
    """Notes how long the interpreter's garbage collector stopped the program at worst, in any thread."""

    def __init__(self) -> None:
        self.worst: Samples = defaultdict(list)
        self._began = 0.0
        self._longest = 0.0

    @contextmanager
    def watched(self, kind: str) -> Iterator[None]:
        """Note the longest collection within the block."""
        self._longest = 0.0
        gc.callbacks.append(self._note)
        try:
            yield
        finally:
            gc.callbacks.remove(self._note)
            self.worst[kind].append(self._longest * 1e3)

    def _note(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._longest = max(self._longest, time.perf_counter() - self._began)


async def longest_stall(work: Awaitable[object]) -> float:
    """Return by how many milliseconds the event loop was late at worst while something was done."""
    worst = 0.0
    done = False

    async def tick() -> None:
        nonlocal worst
        while not done:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            worst = max(worst, time.perf_counter() - due)

    ticking = asyncio.create_task(tick())
    try:
        await work
    finally:
        done = True
        await ticking
    return worst * 1e3


def worst_get(setting: Setting[int], user: str, work: Callable[[], object]) -> float:
    """Return the milliseconds that a `get` took at worst while another thread did something.

    It is the time from one of a row of calls to the next, for the interpreter may be taken away between them too. The
    thread pauses now and then, as one that does I/O, and how late it comes back counts as well. Without pauses it would
    make the other one wait 5 ms, the interpreter's switch interval, after each piece of I/O.
    """
    worker = threading.Thread(target=work)
    worker.start()
    worst = 0.0
    before = time.perf_counter()
    while worker.is_alive():
        end_of_burst = before + _BURST
        while before < end_of_burst:
            setting.get(user=user)
            now = time.perf_counter()
            worst = max(worst, now - before)
            before = now
        time.sleep(_PAUSE)
        now = time.perf_counter()
        worst = max(worst, now - before - _PAUSE)
        before = now
    worker.join()
    return worst * 1e3


async def stalls_of_event_loop(
    service: Service, settings: dict[str, Rules], samples: Samples, collections: Collections
) -> None:
    """Add one sample of each."""
    samples["elsewhere"].append(await longest_stall(asyncio.to_thread(load_elsewhere, service, settings)))
    declared = declare(settings)
    name, user, _ = one_of(settings)
    client = async_client(service.url)
    with collections.watched("first load"):
        samples["first load"].append(await longest_stall(client.set_as_main()))
    before = declared[name].get(user=user)
    await asyncio.to_thread(service.change_all_rules)
    with collections.watched("reload"):
        samples["reload"].append(await longest_stall(client.reload()))
    assert declared[name].get(user=user) == before + 1
    await client.aclose()


def waits_for_get(service: Service, settings: dict[str, Rules], samples: Samples, collections: Collections) -> None:
    """Add one sample of each."""
    declared = declare(settings)
    name, user, _ = one_of(settings)
    setting = declared[name]
    samples["elsewhere"].append(worst_get(setting, user, lambda: load_elsewhere(service, settings)))
    client = thread_client(service.url)
    with collections.watched("first load"):
        samples["first load"].append(worst_get(setting, user, client.set_as_main))
    before = setting.get(user=user)
    service.change_all_rules()
    with collections.watched("reload"):
        samples["reload"].append(worst_get(setting, user, client.reload))
    assert setting.get(user=user) == before + 1
    client.close()


def load_elsewhere(service: Service, settings: dict[str, Rules]) -> None:
    """Have another process load the same, to see what that alone costs a program on this machine."""
    process = multiprocessing.get_context("spawn").Process(target=_load, args=(service.url, list(settings)))
    process.start()
    process.join()
    assert process.exitcode == 0


def _load(url: str, names: list[str]) -> None:
    declared = declare(names)
    with thread_client(url):
        assert declared


def one_of(settings: dict[str, Rules]) -> tuple[str, str, int]:
    """Return a setting, a user that it has a rule about, and the value."""
    name, rules = list(settings.items())[-1]
    (((_, user),), value) = list(rules.items())[-1]
    return name, user, value


def rows_of(what: str, where: str, samples: Samples, collections: Collections) -> list[Row]:
    """Return the rows of some samples, beside the longest collection of garbage meanwhile."""
    rows = []
    for kind, load in {"first load": "first load", "reload": "reload, every rule changed"}.items():
        elsewhere = f"the same while another process loads the rules: {statistics.median(samples['elsewhere']):.1f} ms"
        name = f"{what}, {load}, {where}"
        rows.append(Row("stall", name, "ms", samples[kind], collections.worst[kind], _TARGET, note=elsewhere))
    return rows


def measure(where: str, settings: dict[str, Rules], size: Size) -> list[Row]:
    """Measure with these settings."""
    of_loop: Samples = defaultdict(list)
    of_get: Samples = defaultdict(list)
    during_loop, during_get = Collections(), Collections()
    with running(settings) as service:
        for _ in range(size.stalls):
            asyncio.run(stalls_of_event_loop(service, settings, of_loop, during_loop))
            waits_for_get(service, settings, of_get, during_get)
    return [
        *rows_of("stall of the event loop", where, of_loop, during_loop),
        *rows_of("worst get", where, of_get, during_get),
    ]


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    many, one = many_settings(size.rules), one_setting(size.rules)
    set_apart()
    write_rows(
        [
            *measure(f"{size.rules:,} rules in {len(many):,} settings", many, size),
            *measure(f"{size.rules:,} rules in 1 setting", one, size),
        ]
    )


if __name__ == "__main__":
    main()
