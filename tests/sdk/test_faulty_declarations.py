"""One bad declaration, rule or value costs its own setting, and nothing else."""

import gc
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from heksherlite import TRACK_ALL, Setting, SettingType, ThreadHeksherClient
from heksherlite.values.conversions import Conversion
from tests.sdk.conftest import Connect
from tests.service.api import FEATURES, Api
from tests.waiting import until


class Broken(SettingType[Any]):
    """A setting type with a fault in one of its methods."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def heksher_string(self) -> str:
        if self.fault == "type":
            raise KeyError("no type")
        return "Enum[" if self.fault == "malformed type" else "int"

    def convert_from_heksher(self, x: Any) -> Conversion[Any]:
        if self.fault == "from":
            raise SystemExit("no value")
        return Conversion(x)

    def convert_to_heksher(self, x: Any) -> Any:
        if self.fault == "to":
            raise ZeroDivisionError("no JSON")
        return object() if self.fault == "no JSON" else x


def broken(fault: str) -> Callable[[str], Setting[Any]]:
    def create(name: str) -> Setting[Any]:
        type_ = Broken("")
        setting = Setting(name, type_, ["user"], 1)
        type_.fault = fault  # from now on: a setting that fails when it is created is the program's own
        return setting

    return create


def rejecting(name: str) -> Setting[int]:
    setting = Setting(name, int, ["user"], 1)

    @setting.add_validator
    def reject(value: int, rule: Any, setting: Setting[int]) -> int:
        raise RuntimeError(value, rule, setting)

    return setting


FAULTS: dict[str, Callable[[str], Setting[Any]]] = {
    "an unknown context feature": lambda name: Setting(name, int, ["country"], 1),
    "another type than before": lambda _: Setting("changed", str, ["user"], "a"),
    "an alias without a new version": lambda _: Setting("renamed", int, ["user"], 1, alias="changed"),
    "an alias that is a name": lambda _: Setting("taken", int, ["user"], 1, alias="good.0"),
    "a number that is too large": lambda name: Setting(name, int, ["user"], 2**70),
    "no number": lambda name: Setting(name, float, ["user"], float("nan")),
    "a validator that rejects everything": rejecting,
    **{f"a type with a fault: {fault}": broken(fault) for fault in ("type", "malformed type", "from", "to", "no JSON")},
}


@pytest.mark.thorough
@hypothesis.settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=6), first=st.booleans())
def test_good_settings_update_beside_faulty_ones(service: Api, faults: list[str], *, first: bool) -> None:
    """Whatever faulty settings a program has, before or after the good ones, the good ones follow their rules."""
    service.reset()
    gc.collect()  # the settings of the last example, which its tracebacks refer to
    service.declare("changed", configurable_features=["user"], default_value=1)
    bad: list[Setting[Any]] = []

    def create_bad() -> None:
        for number, fault in enumerate(faults):
            try:
                bad.append(FAULTS[fault](f"bad.{number}"))
            except (TypeError, ValueError):  # refused where it is written
                continue

    if first:
        create_bad()
    good = [Setting(f"good.{number}", int, ["user"], 1) for number in range(3)]
    if not first:
        create_bad()
    client = ThreadHeksherClient(service.url, 1000, FEATURES, push=False)
    client.track_contexts(**dict.fromkeys(FEATURES, TRACK_ALL))
    with client:
        for number in range(len(good)):
            service.add_rule(10 + number, f"good.{number}", user="a")
        for _ in range(2):
            client.reload()
            assert [setting.get(user="a") for setting in good] == [10, 11, 12], client.status.last_error
            assert client.status.state == "fresh"
        late = Setting("late", int, ["user"], 1)
        until(lambda: service.get("settings/late").status_code == 200)
        service.add_rule(20, "late", user="a")
        client.reload()
        assert late.get(user="a") == 20


def test_a_rename_without_a_new_version(service: Api, connect: Connect) -> None:
    """A setting that is renamed by an alias, without a new version, keeps its default, and the others update."""
    service.declare("old", configurable_features=["user"], default_value=1)
    renamed = Setting("renamed", int, ["user"], 1, alias="old")
    other = Setting("other", int, ["user"], 1)
    client = connect(service.url)
    service.add_rule(5, "other", user="a")
    client.reload()
    assert other.get(user="a") == 5
    assert renamed.get(user="a") == 1
    assert client.status.state == "fresh"
    assert client.status.undeclared == 1
    assert list(client._engine.registry.refusals) == ["renamed"]
