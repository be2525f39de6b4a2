import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from heksherlite.errors import FaktsError, GrantError, GroupNotFound, NoFaktsFound
from heksherlite.grants import Fakts, HardGrant, LoadRequest, get_current_fakts, reading
from heksherlite.grants.facts import Facts
from tests.grants.loads import Counting, Failing
from tests.waiting import until

FACTS = {"database": {"host": "db", "ports": [1, 2]}, "cache": {}}


def numbers(fakts: Fakts) -> Iterator[int]:
    """Yield how many loads there have been, each time it is asked."""
    while True:
        yield fakts.get("load.number", auto_load=False)


@pytest.mark.anyio
async def test_asynchronous_use() -> None:
    """In asynchronous code, groups and the values below them are loaded on first use."""
    grant = Counting(**FACTS)
    async with Fakts(grant) as fakts:
        assert grant.requests == []
        assert await fakts.aget("database") == FACTS["database"]
        assert await fakts.aget("database.ports") == [1, 2]
        assert await fakts.aget() == {**FACTS, "load": {"number": 1}}
        assert await fakts.aload() == await fakts.aget()
    assert grant.requests == [LoadRequest(force_refresh=False)]


def test_synchronous_use() -> None:
    """The same object works in synchronous code."""
    grant = Counting(**FACTS)
    with Fakts(grant) as fakts:
        assert grant.requests == []
        assert fakts.get("database") == FACTS["database"]
        assert fakts.get("database.ports") == [1, 2]
        assert fakts.get() == fakts.load() == {**FACTS, "load": {"number": 1}}
    assert len(grant.requests) == 1


def test_function_as_grant() -> None:
    """An asynchronous function that takes the request can be passed as a grant."""

    async def from_somewhere(request: LoadRequest) -> Facts:
        return {"forced": request.force_refresh}

    fakts = Fakts(from_somewhere)
    assert [fakts.get("forced"), fakts.get("forced", force_refresh=True)] == [False, True]
    assert repr(fakts) == "<Fakts of test_function_as_grant.<locals>.from_somewhere, loaded>"


def test_a_grant_that_is_not_asynchronous() -> None:
    """The error says what to write."""

    def load_it(_: object) -> dict[str, int]:
        return {"a": 1}

    class Loader:
        def aload(self, _: object) -> dict[str, int]:
            return {"a": 1}

    grants: list[tuple[Any, str]] = [
        (load_it, "the function of a grant must be asynchronous: write 'async def .*load_it'"),
        (Loader(), "the method aload of a grant must be asynchronous, unlike that of <.*Loader object"),
    ]
    for grant, message in grants:
        with pytest.raises(TypeError, match=message):
            Fakts(grant).get("a")


def test_values_are_copies() -> None:
    """Changing a value that was read does not change it for the next reader."""
    fakts = Fakts(HardGrant(FACTS))
    fakts.get("database")["ports"].append(3)
    fakts.get().clear()
    fakts.load().clear()
    assert fakts.get() == FACTS


def test_hard_fakts() -> None:
    """Hard facts are merged over those of the grant at all levels."""
    hard_fakts: dict[str, Any] = {"database": {"host": "mine"}}
    fakts = Fakts(HardGrant(FACTS), hard_fakts=hard_fakts)
    hard_fakts["database"]["host"] = "changed later"
    assert fakts.get("database") == {"host": "mine", "ports": [1, 2]}


def test_assert_groups() -> None:
    """If a required group is missing, the load fails with its name and nothing is loaded; hard facts count."""
    with pytest.raises(GroupNotFound, match="there is no 'queue' in the facts"):
        Fakts(HardGrant(FACTS), assert_groups={"database", "queue"}).load()
    Fakts(HardGrant(FACTS), assert_groups={"queue"}, hard_fakts={"queue": {}}).load()
    grant = Counting(**FACTS)
    fakts = Fakts(grant, assert_groups={"queue"})
    for _ in range(2):
        with pytest.raises(GroupNotFound):
            fakts.get("database")
    assert len(grant.requests) == 2
    grant.facts["queue"] = {}
    assert fakts.get("queue") == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"assert_groups": "database"}, "assert_groups must be a collection of names"),
        ({"hard_fakts": {"a": {1: 2}}}, "invalid hard_fakts: keys must be strings, not int: 1 below a"),
        ({"hard_fakts": ["a"]}, "invalid hard_fakts: expected a mapping"),
    ],
)
def test_invalid_arguments(arguments: Any, message: str) -> None:
    """Invalid arguments are rejected when the loader is created."""
    with pytest.raises(TypeError, match=message):
        Fakts(HardGrant({}), **arguments)


def test_missing_path_reloads() -> None:
    """A missing path causes one forced load; if it is still missing, the error names it and similar keys."""
    grant = Counting(**FACTS)
    fakts = Fakts(grant)
    fakts.load()
    grant.facts["queue"] = {"size": 5}
    assert fakts.get("queue.size") == 5
    with pytest.raises(GroupNotFound) as caught:
        fakts.get("queue.sise")
    assert (caught.value.path, caught.value.existing) == ("queue.sise", ("queue.size",))
    assert [request.force_refresh for request in grant.requests] == [False, True, True]
    with pytest.raises(GroupNotFound):
        fakts.get("missing", auto_load=False)
    with pytest.raises(GroupNotFound):
        fakts.get("missing", force_refresh=True)
    assert len(grant.requests) == 4


def test_missing_path_when_reloading_fails() -> None:
    """If the reload fails, the path is missing because of the error of the load; the loaded facts are kept."""
    grant = Counting(**FACTS)
    fakts = Fakts(grant)
    fakts.load()
    grant.failing = GrantError("offline")
    with pytest.raises(GroupNotFound, match="reloading the facts failed") as caught:
        fakts.get("missing")
    assert caught.value.__cause__ is grant.failing
    assert fakts.get("database.host") == "db"


def test_without_auto_load() -> None:
    """Where loading is not allowed, reading is an error that says what to do, until the facts are loaded explicitly."""
    grant = Counting()
    fakts = Fakts(grant, allow_auto_load=False)
    asks: list[Callable[[], object]] = [
        lambda: fakts.get("x"),
        lambda: Fakts(grant).get("x", auto_load=False),
        lambda: anyio.run(lambda: fakts.aget("x")),
    ]
    for ask in asks:
        with pytest.raises(FaktsError, match=r"call load\(\) or aload\(\) first"):
            ask()
    assert grant.requests == []
    fakts.load()
    assert fakts.get("load.number") == 1
    with pytest.raises(GroupNotFound):
        fakts.get("missing")
    assert fakts.get("load.number", force_refresh=True) == 2


def test_refresh() -> None:
    """A refresh bypasses all caches, and a failed one keeps the loaded facts."""
    grant = Counting()
    fakts = Fakts(grant)
    assert [fakts.load()["load"], fakts.load()["load"], fakts.refresh()["load"]] == [
        {"number": 1},
        {"number": 1},
        {"number": 2},
    ]
    assert anyio.run(fakts.arefresh)["load"] == {"number": 3}
    grant.failing = GrantError("offline")
    with pytest.raises(GrantError, match="offline"):
        fakts.refresh()
    assert fakts.get("load.number") == 3


def test_refresh_before_the_first_load() -> None:
    """A refresh before anything is loaded is one forced load."""
    grant = Counting()
    Fakts(grant).refresh()
    assert [request.force_refresh for request in grant.requests] == [True]


def test_has_changed() -> None:
    """A value has changed if the loaded facts have another value or none; has_changed never loads."""
    grant = Counting(**FACTS)
    fakts = Fakts(grant)
    assert fakts.has_changed(FACTS["database"], "database")
    assert grant.requests == []
    database = fakts.get("database")
    assert not fakts.has_changed(database, "database")
    assert fakts.has_changed({}, "database")
    assert fakts.has_changed(None, "missing")
    grant.facts["database"] = {"host": "other"}
    fakts.refresh()
    assert fakts.has_changed(database, "database")


def test_failed_loads_are_retried() -> None:
    """Each read retries a failed load, and raises its error."""
    fakts = Fakts(Failing("offline"))
    for _ in range(2):
        with pytest.raises(GrantError, match="offline"):
            fakts.get()


def test_load_on_enter() -> None:
    """Entering the block loads the facts, and a block whose load fails is not entered."""
    grant = Counting()
    with Fakts(grant, load_on_enter=True) as fakts:
        assert next(numbers(fakts)) == 1

    async def enter() -> None:
        async with Fakts(grant, load_on_enter=True) as fakts:
            assert next(numbers(fakts)) == 2

    anyio.run(enter)
    with pytest.raises(GrantError), Fakts(Failing("offline"), load_on_enter=True):
        pass
    with pytest.raises(NoFaktsFound):
        get_current_fakts()


def test_get_current_fakts() -> None:
    """Inside of a block its loader is the current one; afterwards the previous one is, also after an error."""
    outer, inner = Fakts(HardGrant({})), Fakts(HardGrant({}))
    with outer:
        with suppress(ZeroDivisionError), inner:
            assert get_current_fakts() is inner
            with outer:
                assert get_current_fakts() is outer
            assert get_current_fakts() is inner
            raise ZeroDivisionError
        assert get_current_fakts() is outer
    with pytest.raises(NoFaktsFound, match="does not run inside of 'with Fakts"):
        get_current_fakts()


def test_blocks_left_out_of_order() -> None:
    """Leaving the outer block first removes only that one."""
    outer, inner = Fakts(HardGrant({})), Fakts(HardGrant({}))
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert get_current_fakts() is inner
    inner.__exit__(None, None, None)
    with pytest.raises(NoFaktsFound):
        get_current_fakts()


def test_use_outside_of_blocks() -> None:
    """A loader works before, between and after its blocks, and keeps the loaded facts."""
    grant = Counting()
    fakts = Fakts(grant)
    assert fakts.get("load.number") == 1
    for _ in range(2):
        with fakts:
            assert fakts.get("load.number") == 1
    assert fakts.get("load.number") == 1
    assert fakts.refresh()["load"] == {"number": 2}


def test_repr_has_no_values() -> None:
    """The repr contains neither loaded nor hard facts."""
    fakts = Fakts(HardGrant({"a": "hunter2"}), hard_fakts={"b": "hunter3"})
    assert repr(fakts) == "<Fakts of HardGrant(groups=['a']), not loaded>"
    fakts.load()
    assert "hunter" not in repr(fakts)


def test_recursive_load() -> None:
    """A grant that reads the facts that it loads gets an error; it can read other loaders, and its own later."""

    async def asks_itself(_: LoadRequest) -> Facts:
        return {"own": await fakts.aget("x")}

    async def asks_another(_: LoadRequest) -> Facts:
        return {"other": await other.aget("x")}

    fakts = Fakts(asks_itself)
    with pytest.raises(FaktsError, match="a grant requested the facts that it is loading"):
        fakts.get()
    other = Fakts(HardGrant({"x": 1}))
    assert Fakts(asks_another).get() == {"other": 1}


def test_lazy_imports() -> None:
    """Importing the package imports no event loop, HTTP library or YAML library."""
    program = (
        "import sys, heksherlite.grants\n"
        "heavy = {'httpx', 'anyio', 'asyncio', 'yaml', 'cattrs', 'trio'}\n"
        "print(sorted(heavy.intersection(sys.modules)))\n"
        "heksherlite.grants.Fakts(heksherlite.grants.HardGrant({'a': 1})).get('a')\n"
        "print(sorted({'httpx', 'yaml', 'cattrs', 'trio'}.intersection(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (result.stdout, result.stderr) == ("[]\n[]\n", "")


@dataclass
class Nothing:
    """A class without keys, for type checkers: ``aget(into=Nothing)`` is a Nothing."""


def test_into_is_typed() -> None:
    """The result of into= is an instance of the class."""
    found: Nothing = Fakts(HardGrant(FACTS)).get("cache", into=Nothing)
    assert found == Nothing()


def test_missing_path_is_remembered() -> None:
    """Five reads of a missing path cause one forced load, in synchronous and asynchronous code."""
    grant = Counting()
    fakts = Fakts(grant)

    async def read() -> None:
        with pytest.raises(GroupNotFound):
            await fakts.aget("missing")

    for _ in range(3):
        with pytest.raises(GroupNotFound):
            fakts.get("missing")
    anyio.run(read)
    assert [request.force_refresh for request in grant.requests] == [False, True]
    grant.facts["missing"] = 1
    fakts.refresh()
    assert fakts.get("missing") == 1


def test_missing_path_is_read_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some time, a missing path causes another load."""
    monkeypatch.setattr(reading, "_MISSING_SECONDS", -1)
    grant = Counting()
    fakts = Fakts(grant)
    for _ in range(2):
        with pytest.raises(GroupNotFound):
            fakts.get("missing")
    assert len(grant.requests) == 3


def test_keys_with_dots() -> None:
    """A key that contains dots is found by the same path, and does not hide nested keys."""
    fakts = Fakts(HardGrant({"a.b": 1, "c": {"d.e": {"f": 2}}, "g": {"h": 3}, "g.h": 4, "i": 5, "i.j": 6}))
    paths = {"a.b": 1, "c.d.e.f": 2, "g.h": 3, "i": 5, "i.j": 6}
    assert {path: fakts.get(path) for path in paths} == paths
    with pytest.raises(GroupNotFound, match=r"there is no 'c.d.x' in the facts \(the nearest are 'c.d.e'\)"):
        fakts.get("c.d.x")


@pytest.fixture
def main() -> Iterator[Fakts]:
    """Return a loader that is the main one."""
    fakts = Fakts(HardGrant({"which": "main"}))
    fakts.set_as_main()
    yield fakts
    fakts.unset_as_main()


def test_main_loader(main: Fakts) -> None:
    """The main loader is current in all threads and event loops, outside of blocks."""
    found: list[Fakts] = []
    thread = threading.Thread(target=lambda: found.append(get_current_fakts()))
    thread.start()
    thread.join()

    async def read() -> Fakts:
        return get_current_fakts()

    found.append(anyio.run(read))
    assert found == [main, main]
    with Fakts(HardGrant({})) as inner:
        assert get_current_fakts() is inner
    assert get_current_fakts() is main


def test_main_loader_is_replaced(main: Fakts) -> None:
    """Another main loader replaces the first one, which then has nothing to undo."""
    other = Fakts(HardGrant({}))
    other.set_as_main()
    main.unset_as_main()
    assert get_current_fakts() is other
    other.unset_as_main()
    with pytest.raises(NoFaktsFound, match="set_as_main"):
        get_current_fakts()


def test_main_loader_in_a_web_framework(main: Fakts) -> None:
    """Handlers of an application whose lifespan makes a loader the main one find it, also in worker threads."""
    main.unset_as_main()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        main.set_as_main()
        yield
        main.unset_as_main()

    async def on_loop(_: Request) -> PlainTextResponse:
        return PlainTextResponse(await get_current_fakts().aget("which"))

    def in_thread(_: Request) -> PlainTextResponse:
        return PlainTextResponse(get_current_fakts().get("which"))

    app = Starlette(routes=[Route("/loop", on_loop), Route("/thread", in_thread)], lifespan=lifespan)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started)
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30) as http:
                assert (http.get("/loop").text, http.get("/thread").text) == ("main", "main")
        finally:
            server.should_exit = True
            thread.join()


def test_threads_of_asyncio_inside_of_anyio() -> None:
    """Facts are loaded in a thread of asyncio.to_thread, which has the context of the event loop, but no event loop."""

    async def main() -> Any:
        return await asyncio.to_thread(Fakts(HardGrant({"a": 1})).get, "a")

    assert anyio.run(main) == 1
