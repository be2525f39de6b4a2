import asyncio
import gc
import multiprocessing
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

import anyio
import pytest

from heksherlite import Setting, SyncStubHeksherClient, ThreadHeksherClient, in_force, pinned
from heksherlite.lookup import Lookup
from tests.sdk.conftest import Connect
from tests.sdk.scripted_service import QUERY, Scripted, ScriptedService, rule

Publish = Callable[[int], None]
"""Lets the client apply one update, after which both settings have this number for everybody, and 100 more for john."""


@pytest.fixture
def first() -> Setting[int]:
    """Return a setting."""
    return Setting("first", int, ["user"], -1)


@pytest.fixture
def second() -> Setting[int]:
    """Return another setting."""
    return Setting("second", int, ["user"], -1)


@pytest.fixture
def client(scripted: ScriptedService, connect: Connect, first: Any, second: Any) -> ThreadHeksherClient:
    """Return a client of a scripted service."""
    del first, second
    return connect(scripted.url)


@pytest.fixture
def publish(scripted: ScriptedService, client: ThreadHeksherClient) -> Publish:
    """Return a function that updates both settings, and let it update them to 1."""

    def update(number: int) -> None:
        rules = [rule(2 * number, 100 + number, user="john")]
        setting = {"default_value": number, "rules": rules}
        scripted.script[QUERY] = Scripted({"settings": {"first": setting, "second": setting}})
        client.reload()

    update(1)
    return update


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Check that no block is left open."""
    yield
    gc.collect()
    assert in_force._open == ()


def read(*settings: Setting[int], user: str = "jane") -> tuple[int, ...]:
    return tuple(setting.get(user=user) for setting in settings)


def test_reads_in_a_block_are_of_one_update(publish: Publish, first: Setting[int], second: Setting[int]) -> None:
    """A setting that is read in a block for the first time after an update has its value before the update."""
    with pinned():
        assert read(first) == (1,)
        publish(2)
        publish(3)
        assert read(second, first) == (1, 1)
    assert read(second, first) == (3, 3)


def test_rules_are_pinned_and_not_values(publish: Publish, first: Setting[int]) -> None:
    """Another context has its own value, of the same update, even if it was never read before."""
    with pinned():
        publish(2)
        assert read(first, user="john") == (101,)
        assert read(first) == (1,)
    assert read(first, user="john") == (102,)


def test_stored_methods_and_explanations_are_pinned(publish: Publish, first: Setting[int]) -> None:
    """A ``get`` that was stored before any block is pinned, and so is ``explain``."""
    stored = first.get
    with pinned():
        publish(2)
        assert stored(user="john") == first.explain(user="john").value == 101
    assert stored(user="john") == first.explain(user="john").value == 102


def test_a_subclass_with_its_own_get_is_pinned(stub: SyncStubHeksherClient) -> None:
    """A ``get`` of a subclass that calls the one of Setting is pinned."""

    class Doubled(Setting[int]):
        def get(self, /, **contexts: Any) -> int:
            return 2 * super().get(**contexts)

    setting = Doubled("x", int, ["user"], 1)
    with pinned():
        stub[setting].rules = 2
        assert setting.get(user="john") == 2
    assert setting.get(user="john") == 4


def test_others_read_what_is_in_force(publish: Publish, first: Setting[int]) -> None:
    """Outside the block, in a thread without its context, updates are seen meanwhile."""
    with pinned(), ThreadPoolExecutor() as pool:
        publish(2)
        assert pool.submit(read, first).result() == (2,)
        assert pool.submit(copy_context().run, read, first).result() == (1,)
        assert read(first) == (1,)


@pytest.mark.anyio
async def test_tasks_and_threads_inherit_the_block(publish: Publish, first: Setting[int]) -> None:
    """A task and a thread that were started in the block read the same as it, whenever they read."""
    seen: list[tuple[int, ...]] = []

    async def read_later() -> None:
        await updated.wait()
        seen.append(read(first))
        seen.append(await anyio.to_thread.run_sync(read, first))

    updated = anyio.Event()
    with pinned():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_later)
            await anyio.to_thread.run_sync(publish, 2)
            updated.set()
    assert seen == [(1,), (1,)]


def test_a_task_that_outlives_the_block_follows_updates(publish: Publish, first: Setting[int]) -> None:
    """A task that was started in a block is not pinned for ever: when the block ends, it reads what is in force."""

    async def outlive() -> tuple[int, ...]:
        await ended.wait()
        before = read(first)
        with pinned():
            await asyncio.to_thread(publish, 3)
            return (*before, *read(first))

    async def main() -> None:
        with pinned():
            task = asyncio.create_task(outlive())
            await asyncio.to_thread(publish, 2)
            assert read(first) == (1,)
        ended.set()
        assert await task == (2, 2)
        assert read(first) == (3,)

    ended = asyncio.Event()
    asyncio.run(main())


def test_a_block_in_a_block_is_of_the_same_update(publish: Publish, first: Setting[int]) -> None:
    """An inner block neither moves the outer one to another update nor ends it."""
    with pinned():
        publish(2)
        with pinned():
            assert read(first) == (1,)
        publish(3)
        assert read(first) == (1,)
    assert read(first) == (3,)


def test_blocks_that_overlap_have_their_own_updates(publish: Publish, first: Setting[int]) -> None:
    """Each of several blocks reads the state in which it began, in whatever order they end."""
    contexts = []
    for number in (2, 3, 4):
        context = copy_context()
        block = pinned()
        context.run(block.__enter__)
        contexts.append((number - 1, context, block))
        publish(number)
    contexts.insert(0, contexts.pop(1))
    while contexts:
        for number, context, _ in contexts:
            assert context.run(read, first) == (number,)
        number, context, block = contexts.pop()
        context.run(block.__exit__, None, None, None)
        assert context.run(read, first) == (4,)


def test_nothing_is_kept_after_the_block(publish: Publish, first: Setting[int], second: Setting[int]) -> None:
    """After the block, the replaced lookups are gone, and reads are as cheap as before."""
    replaced = Replaced(first)
    with pinned():
        publish(2)
        publish(3)
        gc.collect()
        assert replaced.is_alive()
        assert type(first._lookup) is in_force.PinnedLookup
    gc.collect()
    assert not replaced.is_alive()
    assert type(first._lookup) is type(second._lookup) is Lookup


def test_settings_that_do_not_change_stay_as_they_are(publish: Publish, client: ThreadHeksherClient) -> None:
    """A block alone changes nothing about a setting: its reads cost what they always cost."""
    del publish, client
    setting = Setting("x", int, ["user"], 1)
    before = setting._lookup, type(setting)
    with pinned():
        assert setting.get(user="john") == 1
        assert (setting._lookup, type(setting)) == before


def test_a_block_that_is_never_left_ends_with_its_context(publish: Publish, first: Setting[int]) -> None:
    """A generator that nobody exhausts keeps nothing once it is gone."""

    def generate() -> Iterator[tuple[int, ...]]:
        with pinned():
            while True:
                yield read(first)

    generator = generate()
    assert next(generator) == (1,)
    publish(2)
    assert copy_context().run(next, generator) == (1,)
    del generator
    gc.collect()
    assert type(first._lookup) is Lookup

    def enter_only() -> None:
        pinned().__enter__()

    copy_context().run(enter_only)
    gc.collect()
    assert in_force._open == ()


def test_a_new_default_of_the_context_counts_at_once(
    publish: Publish, client: ThreadHeksherClient, first: Setting[int]
) -> None:
    """Context defaults that are set during a block complete the contexts of pinned rules, too."""
    variable: ContextVar[str] = ContextVar("variable", default="john")
    with pinned():
        publish(2)
        client.set_defaults(user=variable)
        assert first.get() == 101
    assert first.get() == 102


def test_a_setting_that_is_made_in_a_block_is_read(publish: Publish, client: ThreadHeksherClient) -> None:
    """A setting that is declared during a block has its default there until the block ends."""
    with pinned():
        setting = Setting("third", int, ["user"], 7)
        client.set_defaults(user="john")
        assert setting.get() == 7
        publish(2)
        assert setting.get() == 7


def test_values_under_load_are_never_of_two_updates(stub: SyncStubHeksherClient) -> None:
    """While 2 settings change together thousands of times, threads never see different states of them in a block."""
    settings = [Setting(name, int, ["user"], 0) for name in ("a", "b", "c")]
    lookups = [[_lookup_of(stub, setting, number) for setting in settings] for number in range(50)]
    stop = threading.Event()
    pairs: list[tuple[int, ...]] = []
    blocks = [0, 0, 0]

    def reads(reader: int) -> None:
        order = settings[reader:] + settings[:reader]
        while not stop.is_set():
            with pinned():
                seen = [setting.get(user="john") for setting in order * 5]
            blocks[reader] += 1
            if len(set(seen)) > 1:
                pairs.append(tuple(seen))

    threads = [threading.Thread(target=reads, args=(number,)) for number in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        updates = 0
        while updates < 2000 or min(blocks) < 500:
            with in_force.updating():
                for setting, lookup in zip(settings, lookups[updates % 50], strict=True):
                    setting._serve(lookup)
            updates += 1
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        for thread in threads:
            thread.join()
    assert pairs == []


def _lookup_of(stub: SyncStubHeksherClient, setting: Setting[int], number: int) -> Lookup:
    stub[setting].rules = number
    return setting._served


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_keeps_only_its_own_block(stub: SyncStubHeksherClient) -> None:
    """A process that is forked in a block reads what the block reads, and blocks of others do not exist there."""
    setting = Setting("x", int, ["user"], 1)
    other, block = copy_context(), pinned()
    other.run(block.__enter__)
    stub[setting].rules = 2
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        stub[setting].rules = 4
        inside = setting.get(user="john")
        sender.send((inside, len(in_force._open), other.run(setting.get, user="john")))

    with pinned():
        stub[setting].rules = 3
        process = context.Process(target=child)
        process.start()
        assert receiver.poll(60)
        assert receiver.recv() == (2, 1, 1)
        process.join()
    receiver.close()
    sender.close()
    other.run(block.__exit__, None, None, None)


class Replaced:
    """Whether the lookup of a setting, which is replaced, still exists."""

    def __init__(self, setting: Setting[int]) -> None:
        self._rules = weakref.ref(RulesHolder.of(setting))

    def is_alive(self) -> bool:
        return self._rules() is not None


class RulesHolder:
    """A value in the cache of a lookup, since lookups themselves have no weak references."""

    @classmethod
    def of(cls, setting: Setting[int]) -> "RulesHolder":
        """Put a value into the cache of a lookup, and return it."""
        holder = cls()
        setting._lookup[object()] = holder
        return holder
