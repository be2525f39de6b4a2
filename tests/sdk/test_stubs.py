import gc
import json
import socket
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from unittest import mock

import pytest

from heksherlite import AsyncStubHeksherClient, Rule, Setting, SyncStubHeksherClient, main_client


@pytest.fixture
def setting() -> Setting[int]:
    """Return a setting of two features."""
    return Setting("x", int, ["user", "theme"], 1)


def test_arguments_are_ignored(monkeypatch: pytest.MonkeyPatch, setting: Setting[int]) -> None:
    """A stub accepts the arguments of a real client, and any others, and never connects."""
    monkeypatch.setattr(socket.socket, "connect", mock.Mock(side_effect=AssertionError))
    with SyncStubHeksherClient("http://nowhere", 5, ["a"], http_client_args={"headers": {}}, more=1) as stub:
        assert main_client.main() is stub
        stub.track_contexts(user="a", planet="mars")
        stub.reload()
        stub.ping()
        assert setting.get(user="a", theme="b") == 1
    assert main_client.main() is None


@pytest.mark.anyio
async def test_the_async_stub_is_used_like_an_async_client(setting: Setting[int]) -> None:
    """The async stub has the methods of an async client. reload, aclose and ping are awaitable mocks."""
    stub = AsyncStubHeksherClient("http://nowhere", 5, ["a"])
    await stub.set_as_main()
    stub[setting].rules = 5
    await stub.reload()
    await stub.ping()
    assert setting.get(user="a", theme="b") == 5
    await stub.aclose()
    for called in (stub.reload, stub.ping, stub.aclose):
        called.assert_awaited_once_with()
    async with AsyncStubHeksherClient() as other:
        assert main_client.main() is other
        assert setting.get(user="a", theme="b") == 1
    other.aclose.assert_awaited_once_with()


def test_reload_close_and_ping_are_mocks() -> None:
    """Tests can inspect the calls of a program, and make them fail."""
    stub = SyncStubHeksherClient()
    for called in (stub.reload, stub.close, stub.ping):
        called()
        called.assert_called_once_with()
    stub.ping.side_effect = OSError("down")
    with pytest.raises(OSError, match="down"):
        stub.ping()


def test_a_value_holds_in_every_context(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """The setting returns an assigned value in every context."""
    stub[setting].rules = 5
    assert (setting.get(user="a", theme="b"), setting.get(user="c", theme="d")) == (5, 5)
    stub[setting].rules = 0
    assert setting.get(user="a", theme="b") == 0


def test_assigned_rules_win_by_priority(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """Assigned rules win by the usual priority. A missing or None condition matches any value."""
    stub[setting].rules = [
        Rule({"theme": "dark", "user": None}, 2),
        Rule({"user": "a"}, 3),
        Rule({"user": "a", "theme": "dark"}, 4),
    ]
    contexts = [("b", "dark"), ("a", "bright"), ("a", "dark"), ("b", "bright")]
    assert [setting.get(user=user, theme=theme) for user, theme in contexts] == [2, 3, 4, 1]


def test_an_empty_list_is_no_rules(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """For a setting that is not a sequence, an empty list removes all rules, so that the default is returned."""
    stub[setting].rules = [Rule({"user": "a"}, 3)]
    stub[setting].rules = []
    assert setting.get(user="a", theme="b") == 1


def test_a_rule_without_conditions_loses_to_all_others(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """A rule without conditions matches every context, and loses to every other rule."""
    stub[setting].rules = [Rule({}, 7), Rule({"user": "a"}, 3)]
    assert (setting.get(user="a", theme="b"), setting.get(user="b", theme="b")) == (3, 7)


def test_lists_are_values_too(stub: SyncStubHeksherClient) -> None:
    """A list without rules is a value."""
    setting = Setting("x", Sequence[int], ["user"], (1,))
    stub[setting].rules = [4, 5]
    assert setting.get(user="a") == (4, 5)
    stub[setting].rules = []
    assert setting.get(user="a") == ()


def test_bad_rules_are_refused(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """Rules with equal conditions, with unknown features, or mixed with values, raise ValueError and change nothing."""
    stub[setting].rules = 5
    for rules in (
        [Rule({"user": "a"}, 1), Rule({"user": "a", "theme": None}, 2)],
        [Rule({"planet": "mars"}, 1)],
        [Rule({"user": "a"}, 1), 2],
    ):
        with pytest.raises(ValueError, match="'x'"):
            stub[setting].rules = rules
    assert setting.get(user="a", theme="b") == 5


@pytest.mark.parametrize("wrong", ["x", None, 5])
def test_only_settings_have_stub_values(stub: SyncStubHeksherClient, wrong: Any) -> None:
    """The name of a setting is not enough."""
    with pytest.raises(TypeError, match=r"client\[...\] needs a Setting, not "):
        stub[wrong].rules = 1


def test_the_previous_state_can_be_restored(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """Reading .rules returns an opaque state. Assigning it restores values, rules, and the original state."""
    original = stub[setting].rules
    stub[setting].rules = [Rule({"user": "a"}, 3)]
    with_rules = stub[setting].rules
    stub[setting].rules = 5
    stub[setting].rules = with_rules
    assert setting.get(user="a", theme="b") == 3
    stub[setting].rules = original
    assert setting.get(user="a", theme="b") == 1


def test_monkeypatch_works(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """monkeypatch.setattr of .rules sets a value and restores the previous state."""
    stub[setting].rules = 5
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(stub[setting], "rules", 10)
        assert setting.get(user="a", theme="b") == 10
    assert setting.get(user="a", theme="b") == 5


def test_mock_patch_works(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """mock.patch.object of .rules sets a value and restores the previous state."""
    stub[setting].rules = 5
    with mock.patch.object(stub[setting], "rules", 10):
        assert setting.get(user="a", theme="b") == 10
    assert setting.get(user="a", theme="b") == 5


def test_patch_restores(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """The deprecated patch sets a value immediately. As a context manager, it restores the previous state."""
    stub[setting].rules = 5
    with pytest.deprecated_call(match="rules"):
        patched = stub.patch(setting, 10)
    assert setting.get(user="a", theme="b") == 10
    with patched:
        assert setting.get(user="a", theme="b") == 10
    assert setting.get(user="a", theme="b") == 5
    with pytest.deprecated_call(), stub.patch(setting, [Rule({"user": "a"}, 3)]):
        assert (setting.get(user="a", theme="b"), setting.get(user="b", theme="b")) == (3, 1)
    assert setting.get(user="a", theme="b") == 5


def test_validators_do_not_run_for_values_of_stubs(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """Values of stubs are not validated."""
    setting.add_validator(mock.Mock(side_effect=AssertionError))
    stub[setting].rules = [Rule({"user": "a"}, 5)]
    assert setting.get(user="a", theme="b") == 5
    stub[setting].rules = 6
    assert setting.get(user="c", theme="b") == 6


def test_values_of_another_type_are_refused(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """A value that the service could not have raises a TypeError that names setting and value, and changes nothing."""
    stub[setting].rules = 5
    wrong: list[Any] = ["6", None, 1.5, True, mock.Mock(), [Rule({"user": "a"}, "6")], [1, 2]]
    for value in wrong:
        with pytest.raises(TypeError, match="'x'"):
            stub[setting].rules = value
    assert setting.get(user="a", theme="b") == 5


def test_values_of_stubs_have_the_types_of_values_from_the_service(stub: SyncStubHeksherClient) -> None:
    """A stub converts values like a client: a list to a tuple, a dict to a read-only mapping, an int to a float."""
    limits = Setting("limits", Mapping[str, Sequence[float]], ["user"], {"a": [1]})
    before = limits.get(user="a")
    stub[limits].rules = {"a": [1]}
    for value in (before, limits.get(user="a")):
        assert (type(value["a"]), type(value["a"][0]), json.dumps(value)) == (tuple, float, '{"a": [1.0]}')
        changeable: Any = value
        with pytest.raises(TypeError, match="read-only"):
            changeable["b"] = ()


def test_defaults_of_a_stub_are_used(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """A missing feature has the constant or variable default of the stub. Without default, it raises RuntimeError."""
    variable: ContextVar[str] = ContextVar("variable", default="dark")
    stub[setting].rules = [Rule({"user": "a", "theme": "dark"}, 3)]
    with pytest.raises(RuntimeError, match="'user', 'theme'"):
        setting.get()
    stub.set_defaults(user="a", theme=variable)
    later = Setting("y", int, ["user", "theme"], 1)
    assert (setting.get(), later.get()) == (3, 1)
    with pytest.raises(ValueError, match="'user'"):
        stub.set_defaults(user="b")


def test_a_stub_does_not_keep_settings_alive(stub: SyncStubHeksherClient) -> None:
    """A setting that is created while a stub is the main client can be garbage-collected."""
    setting = Setting("x", int, ["user"], 1)
    stub[setting].rules = 5
    assert setting.get(user="a") == 5
    del setting
    gc.collect()
    assert stub._release() == []


def test_a_second_stub_starts_afresh(stub: SyncStubHeksherClient, setting: Setting[int]) -> None:
    """A stub that takes over discards the values of the previous stub."""
    stub[setting].rules = 5
    with SyncStubHeksherClient() as other:
        assert setting.get(user="a", theme="b") == 1
        other[setting].rules = 6
        assert setting.get(user="a", theme="b") == 6


def test_nothing_remains_after_the_stub(setting: Setting[int]) -> None:
    """At the end of the block of a stub, its settings return their local defaults."""
    with SyncStubHeksherClient() as stub:
        stub[setting].rules = 5
    assert setting.get() == 1


def test_a_stub_has_the_status_of_a_client_that_works(setting: Setting[int]) -> None:
    """A program that asks for the status sees a client whose updates succeed, and that is closed after the block."""
    with SyncStubHeksherClient() as stub:
        status = stub.status
        assert (status.state, status.source, status.undeclared, status.problems) == ("fresh", "service", 0, ())
        assert stub.is_updating
        assert setting.get(user="a", theme="b") == 1
    assert (stub.status.state, stub.is_updating) == ("closed", False)
