"""The clock of the machine is set. Only the reported times depend on it."""

import time

import pytest

from heksherlite import Setting
from tests.faults.conftest import Stored
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy
from tests.waiting import until

DAY = 86_400.0


@pytest.mark.parametrize("step", [DAY, -DAY], ids=["forwards", "back"])
@pytest.mark.parametrize("push", [False, True], ids=["polling", "push"])
def test_the_clock_is_set_by_a_day(
    step: float,
    push: bool,
    program: Program,
    proxy: FaultProxy,
    stored: Stored,
    setting: Setting[int],
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Updates continue as before, and the age of the values is right."""
    client = program.run(proxy.url, push=push, max_staleness=DAY / 2)
    until(lambda: client.status.state == "fresh")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + step)
    passed = proxy.passed
    stored.change(2)
    until(lambda: setting.get(environment="e", user="a") == 2)
    until(lambda: proxy.passed > passed + 3)
    age = client.status.age
    assert client.status.state == "fresh"
    assert age is not None
    assert 0 <= age < DAY / 2
    assert log.warnings == []
