"""Functions that are called when settings change."""

import threading
from typing import Any

import anyio
import pytest

from heksherlite import Setting, ThreadHeksherClient
from heksherlite.rule_sets import RuleSet
from tests.sdk.conftest import Connect, Log, async_client
from tests.sdk.scripted_service import QUERY, Scripted, ScriptedService, rule
from tests.service.api import Api
from tests.waiting import until, until_async


def values(rules: RuleSet[Any]) -> list[Any]:
    return [one.value for one in rules]


@pytest.fixture
def settings() -> tuple[Setting[int], Setting[int]]:
    return Setting("x", int, ["user"], 1), Setting("y", int, ["user"], 2)


def test_listeners_hear_of_changes_only(
    service: Api, connect: Connect, settings: tuple[Setting[int], Setting[int]]
) -> None:
    """A setting's listener gets the rules before and after; the client's also gets the setting."""
    x, y = settings
    client = connect(service.url)
    heard: list[Any] = []
    x.on_change(lambda before, after: heard.append(("x", values(before), values(after))))
    y.on_change(lambda before, after: heard.append(("y", values(before), values(after))))

    @client.on_change
    def of_all(setting: Setting[Any], before: RuleSet[Any], after: RuleSet[Any]) -> None:
        heard.append((setting, values(before), values(after), setting.get(user="a")))

    rule_id = service.add_rule(7, "x", user="a")
    client.reload()
    assert heard == [("x", [], [7]), (x, [], [7], 7)]
    heard.clear()
    client.reload()
    assert heard == []
    service.call("PUT", f"rules/{rule_id}/value", {"value": 8})
    client.reload()
    assert heard == [("x", [7], [8]), (x, [7], [8], 8)]
    assert of_all.__name__ == "of_all"


def test_a_changed_default_counts(service: Api, connect: Connect, settings: tuple[Setting[int], Setting[int]]) -> None:
    """Listeners are called for a new default of the service."""
    x, _ = settings
    client = connect(service.url)
    heard: list[Any] = []
    x.on_change(lambda before, after: heard.append((values(before), values(after), x.get(user="a"))))
    service.declare("x", default_value=50, configurable_features=["user"], version="1.1")
    client.reload()
    assert heard == [([], [], 50)]


def test_a_response_with_nothing_new_is_no_change(
    scripted: ScriptedService, connect: Connect, settings: tuple[Setting[int], Setting[int]]
) -> None:
    """A full response with the same rules and another tag calls no listener."""
    x, y = settings
    same = {
        "settings": {"x": {"default_value": 1, "rules": [rule(1, 7, user="a")]}, "y": {"default_value": 2, "rules": []}}
    }
    scripted.script[QUERY] = Scripted(same, headers={"ETag": '"1"'})
    client = connect(scripted.url)
    heard: list[Any] = []
    for setting in (x, y):
        setting.on_change(lambda *change: heard.append(change))
    scripted.script[QUERY] = Scripted(same, headers={"ETag": '"2"'})
    client.reload()
    assert heard == []
    assert client.status.revision == '"2"'


def test_removed_listeners_hear_nothing(
    service: Api, connect: Connect, settings: tuple[Setting[int], Setting[int]]
) -> None:
    """Each removal ends one registration. Unknown listeners cannot be removed, and other objects cannot be added."""
    x, _ = settings
    client = connect(service.url)
    heard: list[Any] = []

    def listen(*change: Any) -> None:
        heard.append(change)

    x.on_change(listen)
    x.on_change(listen)
    client.on_change(listen)
    x.remove_on_change(listen)
    client.remove_on_change(listen)
    service.add_rule(7, "x", user="a")
    client.reload()
    assert len(heard) == 1
    x.remove_on_change(listen)
    for remove in (x.remove_on_change, client.remove_on_change):
        with pytest.raises(ValueError, match="listen"):
            remove(listen)
    with pytest.raises(TypeError, match="function"):
        x.on_change(5)  # type: ignore[type-var]


def test_a_failing_listener_disturbs_nobody(
    service: Api, connect: Connect, log: Log, settings: tuple[Setting[int], Setting[int]]
) -> None:
    """The exception of a listener is logged once, and the other listeners are called."""
    x, _ = settings
    client = connect(service.url)
    heard: list[Any] = []

    @x.on_change
    def fail(*_: Any) -> None:
        raise RuntimeError("listener failed")

    x.on_change(lambda *change: heard.append(change))
    for value in range(3):
        service.add_rule(value, "x", user=str(value))
        client.reload()
    assert len(heard) == 3
    assert "fail" in log.one("error in a listener of heksher changes")["listener"]
    assert client.status.state == "fresh"


def test_listeners_are_called_without_locks(
    service: Api, connect: Connect, settings: tuple[Setting[int], Setting[int]]
) -> None:
    """A listener of a thread client may take the modification_lock, and create settings."""
    x, _ = settings
    client = connect(service.url)
    made: list[Setting[int]] = []
    called = threading.Event()

    @x.on_change
    def listen(*_: Any) -> None:
        with client.modification_lock:
            made.append(Setting("z", int, ["user"], 3))
        called.set()

    service.add_rule(7, "x", user="a")
    client.reload()
    assert called.is_set()
    service.add_rule(9, "x", user="b")
    until(lambda: "z" in service.query())


@pytest.mark.anyio
async def test_coroutine_functions(service: Api, settings: tuple[Setting[int], Setting[int]]) -> None:
    """Listeners of the async client may be coroutine functions, and may reload."""
    x, _ = settings
    async with async_client(service.url) as client:
        heard: list[Any] = []

        @x.on_change
        async def listen(before: RuleSet[int], after: RuleSet[int]) -> None:
            await anyio.lowlevel.checkpoint()
            heard.append((values(before), values(after)))
            if len(heard) == 1:
                service.add_rule(8, "x", user="b")
                await client.reload()

        service.add_rule(7, "x", user="a")
        await client.reload()
        await until_async(lambda: len(heard) == 2)
        assert heard == [([], [7]), ([7], [7, 8])]


@pytest.mark.parametrize("listener", [lambda: None, lambda _: None, lambda _a, _b, _c, _d: None])
def test_a_listener_that_cannot_be_called(listener: Any) -> None:
    """It would fail at the first change, which may be long after the program has started."""
    setting = Setting("x", int, ["user"], 1)
    with pytest.raises(TypeError, match=r"a listener of setting 'x' is called with \(before, after\), which"):
        setting.on_change(listener)
    client = ThreadHeksherClient("http://127.0.0.1:9", 60, ["user"])
    with pytest.raises(TypeError, match=r"a listener of a client is called with \(setting, before, after\), which"):
        client.on_change(listener)

    async def right(*_: Any) -> None:
        """Do nothing."""

    assert setting.on_change(right) is client.on_change(right)
