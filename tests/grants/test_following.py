"""Facts that follow what changes while a program runs."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from heksherlite.errors import GrantError
from heksherlite.grants import (
    CacheGrant,
    EnvGrant,
    Fakts,
    HardGrant,
    JsonGrant,
    Layer,
    LayeredFacts,
    LoadRequest,
    ParallelGrant,
    TomlGrant,
    YamlGrant,
)
from tests.grants.endpoint import CONFIG, Scripted, ScriptedEndpoint
from tests.grants.loads import Counting
from tests.grants.test_token_stores import redeem
from tests.sdk.conftest import Log
from tests.waiting import until, until_async

NEVER = 3600


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often at files, and try again soon."""
    monkeypatch.setattr("heksherlite.grants.watches._POLL_SECONDS", 0.01)
    monkeypatch.setattr("heksherlite.grants.following._SETTLE_SECONDS", 0.01)
    monkeypatch.setattr("heksherlite.grants.following._FIRST_RETRY", 0.01)
    monkeypatch.setattr("heksherlite.grants.following._LAST_RETRY", 0.05)
    monkeypatch.setattr("heksherlite.grants.remote.kept._RETRY_SECONDS", 0.05)


@dataclass
class Pool:
    size: int


@dataclass
class Settings:
    pool: Pool


def write(file: Path, content: str) -> None:
    """Replace a file as editors and deployments do."""
    new = file.with_suffix(".new")
    new.write_text(content)
    new.replace(file)


@pytest.mark.parametrize(("grant", "text"), [(YamlGrant, "pool: {size: %s}"), (JsonGrant, '{"pool": {"size": %s}}')])
def test_files(grant: Any, text: str, tmp_path: Path) -> None:
    """A file that is replaced is loaded again, and functions get the new value of what changed."""
    file = tmp_path / "config"
    file.write_text(text % 1)
    everything: list[Any] = []
    sizes: list[Any] = []
    with Fakts(grant(file), hard_fakts={"other": {}}, on_change=everything.append) as fakts:
        fakts.on_change("pool.size")(sizes.append)
        fakts.on_change("other")(lambda _: pytest.fail("it has not changed"))
        assert fakts.get("pool.size") == 1
        for size in (2, 3):
            write(file, text % size)
            until(lambda size=size: sizes[-1:] == [size])  # type: ignore[misc]
            assert fakts.get("pool") == {"size": size}
    assert sizes == [2, 3]
    assert everything == [{"pool": {"size": 2}, "other": {}}, {"pool": {"size": 3}, "other": {}}]
    assert not fakts.status.is_following


def test_a_file_that_appears_and_vanishes(tmp_path: Path) -> None:
    """A file that is not required may come and go; then the value is None."""
    file = tmp_path / "config.toml"
    seen: list[Any] = []
    with Fakts(TomlGrant(file, required=False)) as fakts:
        fakts.on_change("a")(seen.append)
        assert fakts.load() == {}
        write(file, "a = 1")
        until(lambda: seen == [1])
        file.unlink()
        until(lambda: seen == [1, None])


def test_links_that_are_switched(tmp_path: Path) -> None:
    """A file behind a link that is switched is loaded again, as in volumes of containers."""
    for name, size in (("one", 1), ("two", 2)):
        tmp_path.joinpath(name).mkdir()
        tmp_path.joinpath(name, "config").write_text(f"size = {size}")
    tmp_path.joinpath("data").symlink_to("one")
    seen: list[Any] = []
    with Fakts(TomlGrant(tmp_path / "data" / "config"), on_change=seen.append) as fakts:
        fakts.load()
        tmp_path.joinpath("new").symlink_to("two")
        tmp_path.joinpath("new").replace(tmp_path / "data")
        until(lambda: seen == [{"size": 2}])


def test_a_change_that_does_not_fit(tmp_path: Path, log: Log) -> None:
    """After a change that cannot be used, the last good settings stay, the status says so, and a repair is followed."""
    file = tmp_path / "config.yaml"
    file.write_text("pool: {size: 1}")
    seen: list[Settings] = []
    with Fakts(YamlGrant(file), into=Settings, on_change=seen.append) as fakts:
        before = fakts.get()
        assert fakts.status.state == "fresh"
        write(file, "pool: {size: many}")
        until(lambda: fakts.status.state == "stale")
        until(lambda: fakts.status.consecutive_failures >= 2)
        assert fakts.get() is before
        assert "expected an integer" in str(fakts.status.last_error)
        write(file, "pool: {size: 2}")
        until(lambda: seen == [Settings(Pool(2))])
        assert fakts.get() is seen[0]
        until(lambda: "facts can be refreshed again" in log.caplog.text)
    assert log.caplog.text.count("facts cannot be refreshed: the facts do not fit") == 1
    assert fakts.status.consecutive_failures == 0


def test_intervals() -> None:
    """Facts are loaded again at intervals, without asking a person and without cached facts."""
    grant = Counting()
    with Fakts(grant, refresh_every=0.01) as fakts:
        assert fakts.status.state == "starting"
        fakts.load()
        until(lambda: len(grant.requests) >= 3)
        assert fakts.status.is_following
        assert fakts.status.age is not None
    assert {(request.force_refresh, request.may_ask) for request in grant.requests[1:]} == {(True, False)}
    count = len(grant.requests)
    assert fakts.get("load.number") == count


def test_the_age_of_cached_facts(tmp_path: Path) -> None:
    """The status says how old cached facts are."""
    grant = CacheGrant(HardGrant({"a": 1}), cache_file=tmp_path / "cache")
    Fakts(grant).load()
    text = (tmp_path / "cache").read_text()
    created_at = text.partition('"created_at": ')[2].partition(",")[0]
    (tmp_path / "cache").write_text(text.replace(created_at, str(float(created_at) - 1000)))
    fakts = Fakts(grant)
    fakts.load()
    assert fakts.status.age == pytest.approx(1000, abs=60)
    assert Fakts(HardGrant({}), refresh_every=1).status.age is None


def test_failures_without_facts() -> None:
    """A loader whose first load fails has the status "failed", with the error."""
    grant = Counting()
    grant.failing = GrantError("it is away")
    fakts = Fakts(grant)
    with pytest.raises(GrantError):
        fakts.load()
    assert (fakts.status.state, fakts.status.last_error) == ("failed", grant.failing)
    grant.failing = None
    fakts.load()
    assert fakts.status.state == "fresh"


def test_bugs_in_grants_and_listeners_and_watches(log: Log) -> None:
    """Whatever functions of the program raise is logged, and changes are followed nevertheless."""

    class Broken:
        async def wait(self) -> None:
            raise ZeroDivisionError

    calls: list[LoadRequest] = []

    async def grant(request: LoadRequest) -> LayeredFacts:
        calls.append(request)
        if len(calls) == 2:
            raise ZeroDivisionError
        return LayeredFacts([Layer(source="test", facts={"number": len(calls)}, watches=(Broken(),))])

    seen: list[Any] = []
    with Fakts(grant, refresh_every=0.01) as fakts:
        fakts.on_change()(lambda _: 1 / 0)
        fakts.on_change("number")(seen.append)
        fakts.load()
        until(lambda: len(seen) >= 2)
    for text in ("error in a grant: ZeroDivisionError", "error in a watch: ZeroDivisionError", "error in a listener"):
        assert text in log.caplog.text


@pytest.mark.anyio
async def test_asynchronous_programs(tmp_path: Path) -> None:
    """In asynchronous programs, coroutine functions may listen, and leaving the block ends the thread."""
    file = tmp_path / "config.yaml"
    file.write_text("size: 1")
    seen: list[Any] = []
    async with Fakts(YamlGrant(file)) as fakts:

        @fakts.on_change("size")
        async def changed(size: int) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(size)

        assert await fakts.aget("size") == 1
        write(file, "size: 2")
        await until_async(lambda: seen == [2])
        assert await fakts.aget("size") == 2
        fakts.remove_on_change(changed)
        with pytest.raises(ValueError, match="not a listener"):
            fakts.remove_on_change(changed)
    assert not any(thread.name == "heksherlite facts" for thread in threading.enumerate())


@pytest.mark.anyio
async def test_grants_of_programs_run_in_their_kind_of_event_loop(anyio_backend: str) -> None:
    """The thread that follows changes has the kind of event loop that the program has."""
    libraries: list[str] = []

    async def grant(_: LoadRequest) -> dict[str, Any]:
        libraries.append("trio" if trio.lowlevel.in_trio_run() else "asyncio")
        return {}

    async with Fakts(grant, refresh_every=0.01) as fakts:
        await fakts.aload()
        await until_async(lambda: len(libraries) >= 3)
    assert set(libraries) == {anyio_backend}


def test_explicit_refreshes_call_listeners() -> None:
    """A refresh by the program calls the functions too, in its own thread, before it returns."""
    seen: list[Any] = []
    fakts = Fakts(Counting())
    fakts.on_change("load.number")(lambda number: seen.append((number, threading.current_thread())))
    fakts.load()
    fakts.refresh()
    assert seen == [(2, threading.current_thread())]


def test_the_main_loader() -> None:
    """The main loader follows changes until it is replaced; calling set_as_main twice changes nothing."""
    first, second = Fakts(Counting(), refresh_every=NEVER), Fakts(Counting(), refresh_every=NEVER)
    first.set_as_main()
    first.set_as_main()
    try:
        assert first.status.is_following
        second.set_as_main()
        assert (first.status.is_following, second.status.is_following) == (False, True)
    finally:
        first.unset_as_main()
        second.unset_as_main()
    assert not second.status.is_following


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_sighup(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP loads the facts again, and calls the handler from before, which is restored at the end."""
    received: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: received.append(number))
    try:
        monkeypatch.setenv("FAKTS_A", "1")
        seen: list[Any] = []
        with Fakts(EnvGrant(), on_change=seen.append, refresh_on_sighup=True) as fakts:
            fakts.load()
            monkeypatch.setenv("FAKTS_A", "2")
            until(lambda: fakts.status.is_following)
            while not seen:  # the thread may not be ready for the first one
                os.kill(os.getpid(), signal.SIGHUP)
                threading.Event().wait(0.02)
            assert seen == [{"a": "2"}]
        assert received
        count = len(received)
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: len(received) == count + 1)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_sighup_in_other_threads() -> None:
    """Only the main thread can handle signals; the error says so."""
    errors: list[str] = []

    def enter() -> None:
        try:
            with Fakts(HardGrant({}), refresh_on_sighup=True):
                errors.append("entered")
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert errors == ["refresh_on_sighup requires that the block is entered in the main thread"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_invalid_intervals(seconds: float) -> None:
    """An interval that is not greater than 0 is an error."""
    with pytest.raises(ValueError, match="refresh_every must be greater than 0"):
        Fakts(HardGrant({}), refresh_every=seconds)


def test_an_endpoint_that_comes_back(endpoint: ScriptedEndpoint) -> None:
    """A program that started with kept facts gets current ones soon after the endpoint is back."""
    Fakts(redeem(endpoint)).load()
    endpoint.script["/f/claim/"] = Scripted(status=503)
    seen: list[Any] = []
    with Fakts(redeem(endpoint), on_change=seen.append) as fakts:
        assert fakts.load() == CONFIG
        states: list[str] = [fakts.status.state]
        (token,) = endpoint.tokens.keys() - {"static-token"}
        endpoint.tokens[token] = {"new": {"a": 1}}
        endpoint.script.clear()
        until(lambda: seen == [{"new": {"a": 1}}])
        assert [*states, fakts.status.state] == ["stale", "fresh"]


PROGRAM = """
import os, sys, time
from heksherlite.grants import *
fakts = Fakts(ParallelGrant([YamlGrant(sys.argv[1])]), refresh_every=0.05)
fakts.set_as_main()
assert fakts.get("size") == 1
read, write = os.pipe()
child = os.fork() if "fork" in sys.argv else None
if child in (0, None):
    with open(sys.argv[1], "w") as file:
        file.write("size: 2")
    while fakts.get("size") != 2:
        time.sleep(0.01)
    print("followed", fakts.status.is_following, flush=True)
else:
    os.waitpid(child, 0)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [[], ["fork"]])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes(arguments: list[str], tmp_path: Path) -> None:
    """A forked child follows changes too, and a program that never unsets its main loader ends."""
    file = tmp_path / "config.yaml"
    file.write_text("size: 1")
    command = [sys.executable, "-c", PROGRAM, str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("followed True\n", 0), done.stderr


def test_parallel_grants_pass_watches_on(tmp_path: Path) -> None:
    """A change of one of several files is followed."""
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text("size: 1")
    seen: list[Any] = []
    with Fakts(ParallelGrant([YamlGrant(file) for file in files]), on_change=seen.append) as fakts:
        fakts.load()
        write(files[1], "size: 2")
        until(lambda: seen == [{"size": 2}])
