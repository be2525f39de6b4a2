"""Code that type checkers accept, and the types that they infer."""

import copy
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, Flag, IntFlag
from typing import Any, assert_type

from heksherlite import (
    TRACK_ALL,
    AsyncHeksherClient,
    Conversion,
    HeksherMapping,
    HeksherSequence,
    Rule,
    Setting,
    SettingData,
    SettingType,
    SyncStubHeksherClient,
    ThreadHeksherClient,
    setting_type,
)
from heksherlite.explain import Explanation
from heksherlite.grants import Fakts, HardGrant


class Theme(Enum):
    DARK = "dark"
    BRIGHT = "bright"


class Access(IntFlag):
    READ = 1
    WRITE = 2


class Permission(Flag):
    READ = 1
    WRITE = 2


class Hex(SettingType[int]):
    def heksher_string(self) -> str:
        return "str"

    def convert_from_heksher(self, x: Any) -> Conversion[int]:
        return Conversion(int(x, 16))

    def convert_to_heksher(self, x: int) -> Any:
        return f"{x:x}"


number = Setting("number", int, ["user"], 1)
assert_type(number, Setting[int])
assert_type(number.get(), int)
assert_type(number.get(user="a"), int)
assert_type(number.explain(user="a"), Explanation[int])
assert_type(Setting("x", float, ["user"], 1.5).get(), float)
assert_type(Setting("x", str, ("user",), "a").get(), str)
assert_type(Setting("x", bool, ["user"], True).get(), bool)
assert_type(Setting("x", Theme, ["user"], Theme.DARK).get(), Theme)
assert_type(Setting("x", Access, ["user"], Access.READ | Access.WRITE).get(), Access)
assert_type(Setting("x", Sequence[int], ["user"], [1]).get(), Sequence[int])
assert_type(Setting("x", Mapping[str, int], ["user"], {"a": 1}).get(), Mapping[str, int])
assert_type(Setting("x", Sequence[Mapping[str, Theme]], ["user"], []).get(), Sequence[Mapping[str, Theme]])
assert_type(Setting("x", Mapping[str, Sequence[float]], ["user"], {}).get(), Mapping[str, Sequence[float]])
assert_type(Setting("x", Permission, ["user"], Permission.READ | Permission.WRITE).get(), Permission)
assert_type(Setting("x", list[str], ["user"], ["a"]).get(), Sequence[str])
assert_type(Setting("x", tuple[int, ...], ["user"], (1,)).get(), Sequence[int])
assert_type(Setting("x", dict[str, int], ["user"], {"a": 1}).get(), Mapping[str, int])
assert_type(number.get(user=5), int)
assert_type(copy.copy(number), Setting[int])
assert_type(Setting("x", Hex(), ["user"], 255).get(), int)
assert_type(Setting(name="x", type=int, configurable_features=["user"], default_value=60).get(), int)
assert_type(Setting(name="x", type=int, configurable_feature=["user"], default_value=60).get(), int)
assert_type(Setting("x", type=str, configurable_features=["user"], default_value="a", version="1.1").get(), str)

every_option = Setting(
    "x", Theme, ["user"], Theme.DARK, metadata={"owner": ["us"]}, alias="y", version="2.0", on_coerce=None
)
assert_type(every_option, Setting[Theme])


def accept(value: Access, raw_value: Any, coercions: Sequence[str], rule: Any, setting: Setting[Access]) -> Access:
    """Decide about a coercion."""
    del raw_value, coercions, rule, setting
    return value


Setting("x", Access, ["user"], Access.READ, on_coerce=accept)


@number.add_validator
def at_most_ten(value: int, rule: Any, setting: Setting[int]) -> int:
    """Check a value."""
    del rule, setting
    return min(value, 10)


assert_type(at_most_ten(1, None, number), int)
assert_type(number.to_v1_declaration_body(), dict[str, Any])
setting_type(HeksherSequence(HeksherMapping(int)))

theme: ContextVar[str] = ContextVar("theme")


async def asynchronous() -> None:
    """Use an async client."""
    async with AsyncHeksherClient("http://host", 5, ["user"], http_client_args={"headers": {"a": "b"}}) as client:
        assert_type(client, AsyncHeksherClient)
        client.track_contexts(user=TRACK_ALL, theme=["a", "b"], environment="dev")
        client.set_defaults(user="a", theme=theme)
        assert_type(await client.get_settings(), dict[str, SettingData])
        async with client.modification_lock:
            pass


def synchronous() -> None:
    """Use a thread client and a stub."""
    with ThreadHeksherClient("http://host", 0.5, ["user"]) as client:
        assert_type(client, ThreadHeksherClient)
        assert_type(client.get_settings(), dict[str, SettingData])
    with SyncStubHeksherClient() as stub:
        stub[number].rules = [Rule({"user": "a", "theme": None}, 1)]
        stub[number].rules = 5


@dataclass
class Start:
    host: str


typed = Fakts(HardGrant({}), into=Start)
assert_type(typed, Fakts[Start])
assert_type(typed.get(), Start)
assert_type(typed.get("host"), Any)
assert_type(typed.get("port", into=int), int)
assert_type(typed.get("port", into=int, default=None), int | None)
assert_type(Fakts(HardGrant({})).get(), Any)
untyped: Fakts = typed


async def reads() -> None:
    async with Fakts(HardGrant({})) as fakts:
        assert_type(await fakts.get("group.key"), Any)
        assert_type(await fakts.aget("group.key", into=int), int)


typed.on_change("host")(print)
Fakts(HardGrant({}), into=Start, on_change=lambda start: start.host, refresh_every=60)


async def read_asynchronously() -> None:
    assert_type(await typed.aget(), Start)
    assert_type(await typed.aget("port", into=int, default=""), int | str)
