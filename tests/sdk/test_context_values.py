import subprocess
import sys
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest

from heksherlite import ContextValueError, Rule, Setting, SyncStubHeksherClient, ThreadHeksherClient


class Rank(IntEnum):
    LOW = 1


class Theme(StrEnum):
    DARK = "dark"


class Mixed(str, Enum):  # noqa: UP042 - as many programs still write it
    DARK = "dark"


class Plain(Enum):
    DARK = "dark"


class Text(str):
    __slots__ = ()


KEY = UUID(int=5)
CONVERTED: list[tuple[Any, str]] = [
    (42, "42"),
    (-1, "-1"),
    (2**70, str(2**70)),
    (Rank.LOW, "1"),
    (KEY, str(KEY)),
    (Theme.DARK, "dark"),
    (Mixed.DARK, "dark"),
    (Text("dark"), "dark"),
]
REFUSED: list[Any] = [True, None, 1.0, b"dark", Plain.DARK, ["dark"], {"dark"}, {"a": 1}, object, ("a",)]


def ways_to_read(stub: SyncStubHeksherClient, setting: Setting[Any]) -> list[Callable[[Any], Any]]:
    """Return the ways to read a setting with a context value: as an argument and by a variable, get and explain."""
    variable: ContextVar[Any] = ContextVar("variable")
    stub.set_defaults(user=variable)

    def by_variable(value: Any) -> Any:
        variable.set(value)
        return setting.get()

    def explained_by_variable(value: Any) -> Any:
        variable.set(value)
        return setting.explain().value

    return [
        lambda value: setting.get(user=value),
        lambda value: Setting.get(setting, user=value),
        lambda value: setting.explain(user=value).value,
        by_variable,
        explained_by_variable,
    ]


@pytest.mark.parametrize("others", [[], ["theme"]], ids=["alone", "with another"])
@pytest.mark.parametrize(("value", "text"), CONVERTED, ids=repr)
def test_values_with_an_obvious_text_match_rules(
    stub: SyncStubHeksherClient, value: Any, text: str, others: list[str]
) -> None:
    """An int, a UUID and a member of a str enum match the rule for their text, on the first read and later."""
    setting = Setting("x", int, ["user", *others], 0)
    stub[setting].rules = [Rule({"user": text}, 1)]
    if others:
        stub.set_defaults(theme="a")
    for read in ways_to_read(stub, setting):
        assert [read(value), read(value), read(text)] == [1, 1, 1]


@pytest.mark.parametrize("others", [[], ["theme"]], ids=["alone", "with another"])
@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_values_without_an_obvious_text_are_refused(stub: SyncStubHeksherClient, value: Any, others: list[str]) -> None:
    """Every other value raises a TypeError that names setting, feature and value, even beside an equal cached key."""
    setting = Setting("cache_ttl", int, ["user", *others], 0)
    if others:
        stub.set_defaults(theme="a")
    for read in ways_to_read(stub, setting):
        read(1)
        read("1")
        with pytest.raises(ContextValueError, match=r"'cache_ttl'.* user=") as caught:
            read(value)
        assert isinstance(caught.value, TypeError)
        assert (caught.value.setting, caught.value.feature) == ("cache_ttl", "user")
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_values_are_refused_before_there_is_a_client(value: Any) -> None:
    """A value without an obvious text is refused even if the default would be returned anyway."""
    setting = Setting("cache_ttl", int, ["user", "theme"], 0)
    with pytest.raises(ContextValueError, match=r"'cache_ttl'.* user="):
        setting.get(user=value)
    assert setting.get(user=5) == 0


def test_conditions_of_stub_rules_are_texts(stub: SyncStubHeksherClient) -> None:
    """A condition of a stub rule is converted like a context value, or refused."""
    setting = Setting("x", int, ["user"], 0)
    conditions: Any = {"user": 42}
    stub[setting].rules = [Rule(conditions, 1)]
    assert (setting.get(user=42), setting.get(user="42")) == (1, 1)
    conditions = {"user": 4.2}
    with pytest.raises(TypeError, match=r"'x'.*user=4\.2"):
        stub[setting].rules = [Rule(conditions, 1)]


def test_members_of_str_enums_can_be_tracked_and_defaults() -> None:
    """A member of a str enum is tracked as its text, and is a default with its text."""
    client = ThreadHeksherClient("http://127.0.0.1:9", 1000, ["user", "theme"])
    client.track_contexts(user=Mixed.DARK, theme=[Theme.DARK, Mixed.DARK])
    client.set_defaults(user=Mixed.DARK)
    options = client._engine.options
    assert options.context_filters() == "theme:(dark),user:(dark)"
    assert type(options.defaults["user"]) is str


def test_uuids_are_converted_without_importing_their_module_early() -> None:
    """Importing the package does not import uuid, and a UUID that is made later is converted all the same."""
    program = (
        "import sys; from heksherlite import Setting\n"
        "setting = Setting('x', int, ['user'], 3)\n"
        "assert 'uuid' not in sys.modules\n"
        "import uuid\n"
        "assert setting.get(user=uuid.UUID(int=5)) == 3\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_wrong_value_is_reported_before_a_missing_one() -> None:
    """``get`` and ``explain`` raise the same error for a context that has both: a wrong value and a missing feature."""
    setting = Setting("two_faults", int, ["environment", "user"], default_value=1)
    with SyncStubHeksherClient():
        for read in (setting.get, setting.explain):
            with pytest.raises(ContextValueError, match="user="):
                read(user=True)
            with pytest.raises(ContextValueError, match="environment="):
                read(environment=True)
