"""Faults that make updates fail. Values stay, the status and one record report the fault, and the client recovers."""

import re

import pytest

from heksherlite import Setting
from tests.faults.conftest import Stored
from tests.faults.faults import ALL, Failure
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy
from tests.waiting import until

BEGINS = "error during heksher update"
ENDS = "heksher update works again"


@pytest.mark.parametrize("failure", ALL.values(), ids=ALL)
def test_a_fault_and_its_end(
    failure: Failure, program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """During a fault the last good values stay. Afterwards the client catches up. One record reports each."""
    client = program.run(proxy.url, **failure.options)
    until(lambda: client.status.state == "fresh")
    assert (setting.get(environment="e", user="a"), setting.get(environment="e", user="b")) == (1, 10)
    proxy.fault = failure.fault
    stored.change(2)
    until(lambda: client.status.consecutive_failures > 1)
    status = client.status
    assert (status.state, status.source) == ("stale", "service")
    assert isinstance(status.last_error, failure.error)
    assert re.search(failure.message, str(status.last_error))
    assert (setting.get(environment="e", user="a"), setting.get(environment="e", user="b")) == (1, 10)
    assert log.warnings == [("ERROR", BEGINS)]
    assert log.times(ENDS) == 0
    proxy.fault = None
    program.wait_until_fresh(client)
    assert (setting.get(environment="e", user="a"), setting.get(environment="e", user="b")) == (2, 10)
    assert client.status.consecutive_failures == 0
    assert log.warnings == [("ERROR", BEGINS)]
    assert log.times(ENDS) == 1
