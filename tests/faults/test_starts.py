"""Faults while a client starts: it raises and leaves nothing, or it serves defaults and recovers."""

import time

import httpx
import pytest

from heksherlite import ServiceResponseError, Setting, main_client
from tests.faults.conftest import Stored
from tests.faults.faults import ALL, Failure, never_responds, only, responses, to_queries, without_tag
from tests.faults.program import Log, Program
from tests.faults.proxy import Exchange, FaultProxy
from tests.sdk.scripted_service import DECLARE, FEATURE_ORDER
from tests.waiting import until

SOME = {
    name: ALL[name]
    for name in (
        "refused",
        "never responds",
        "reset in the header",
        "last chunk missing",
        "Content-Length too short",
        "401",
        "503",
        "redirect loop",
        "HTML",
        "another shape",
        "gzip bomb",
        "zstd cut off",
    )
}
some_failures = pytest.mark.parametrize("failure", SOME.values(), ids=SOME)

FEATURES_FAILED = ("ERROR", "failure to get context_features from heksher service")
UPDATE_FAILED = ("ERROR", "error during heksher update")


def values(setting: Setting[int]) -> tuple[int, int]:
    return setting.get(environment="e", user="a"), setting.get(environment="e", user="b")


@some_failures
def test_require_raises(failure: Failure, program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """``startup="require"`` raises the documented error and leaves nothing. Afterwards the same client can start."""
    proxy.fault = failure.fault
    before = program.running()
    client = program.client(proxy.url, startup="require", **failure.options)
    with pytest.raises((httpx.HTTPError, ServiceResponseError)) as raised:
        program.start(client)
    assert isinstance(raised.value, failure.error)
    assert not client.is_live
    assert main_client.main() is None
    until(lambda: program.running() <= before)
    proxy.fault = None
    until(lambda: proxy.connections == 0)
    assert values(setting) == (0, 0)
    assert log.warnings == [FEATURES_FAILED]
    program.start(client)
    assert values(setting) == (1, 10)
    assert client.status.state == "fresh"


@some_failures
def test_best_effort_serves_defaults_and_recovers(
    failure: Failure, program: Program, proxy: FaultProxy, setting: Setting[int], log: Log
) -> None:
    """``startup="best-effort"`` serves the defaults, logs that once, and catches up later.

    The context features are no separate record, and neither are the declarations if everything fails in the same way.
    """
    proxy.fault = failure.fault
    client = program.run(proxy.url, startup="best-effort", **failure.options)
    status = client.status
    assert client.is_live
    assert values(setting) == (0, 0)
    assert (status.state, status.source, status.age) == ("failed", "defaults", None)
    assert isinstance(status.last_error, failure.error)
    is_outage = issubclass(failure.error, httpx.TransportError | httpx.HTTPStatusError)
    declaration_failed = [] if is_outage else [("ERROR", program.declaration_failed)]
    warnings = [*declaration_failed, UPDATE_FAILED]
    assert log.warnings == warnings
    until(lambda: client.status.consecutive_failures > 1)
    proxy.fault = None
    program.wait_until_fresh(client)
    until(lambda: values(setting) == (1, 10))
    assert log.warnings == warnings
    assert log.times("heksher update works again") == 1
    assert log.times("setting declarations work again") == len(declaration_failed)


def test_startup_timeout_of_require(program: Program, proxy: FaultProxy, setting: Setting[int]) -> None:
    """A service that never responds causes a TimeoutError after ``startup_timeout``, and leaves nothing."""
    proxy.fault = never_responds
    before = program.running()
    client = program.client(proxy.url, startup="require", startup_timeout=0.3)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"127\.0\.0\.1:\d+ did not respond within the startup_timeout of 0.3 s"):
        program.start(client)
    assert 0.3 <= time.monotonic() - began < 20
    assert main_client.main() is None
    until(lambda: program.running() <= before)
    until(lambda: values(setting) == (0, 0))


def test_startup_timeout_of_best_effort(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """If the service never responds, the defaults apply after ``startup_timeout``, and the client recovers later."""
    proxy.fault = never_responds
    began = time.monotonic()
    client = program.run(proxy.url, startup="best-effort", startup_timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 20
    assert client.status.state == "failed"
    assert isinstance(client.status.last_error, TimeoutError)
    assert values(setting) == (0, 0)
    proxy.fault = None
    program.wait_until_fresh(client)
    until(lambda: values(setting) == (1, 10))
    # The first poll may have been quick enough to meet the fault with its declaration.
    assert log.warnings[0] == UPDATE_FAILED
    assert set(log.warnings[1:]) <= {("ERROR", program.declaration_failed)}


def test_unknown_feature_order(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """If the context features cannot be read, one record reports it and the client starts."""
    proxy.fault = only(FEATURE_ORDER, responses(status=500))
    client = program.run(proxy.url, startup="require")
    assert values(setting) == (1, 10)
    assert client.status.state == "fresh"
    assert log.warnings == [FEATURES_FAILED]


def test_an_order_that_stays_unknown(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """One record reports that the context features cannot be read, and one that they can be read again."""
    proxy.fault = to_queries(without_tag, otherwise=only(FEATURE_ORDER, responses(status=500)))
    client = program.run(proxy.url)
    seen = proxy.faulted
    until(lambda: proxy.faulted > seen + 6)
    stored.change(2)
    until(lambda: values(setting) == (2, 10))
    assert log.warnings == [FEATURES_FAILED]
    proxy.fault = to_queries(without_tag)
    until(lambda: log.times("context_features from heksher service can be read again"))
    assert client.status.state == "fresh"
    assert log.warnings == [FEATURES_FAILED]


def test_declarations_that_fail(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A setting that the service refuses is in one record and in the status. The other settings are updated."""
    refused = 0

    def refuse(exchange: Exchange) -> None:
        nonlocal refused
        refused += 1
        responses(status=503)(exchange)

    client = program.run(proxy.url)
    proxy.fault = only(DECLARE, refuse)
    other = Setting("y", int, ["user"], 0)
    until(lambda: refused)
    stored.change(2)
    until(lambda: values(setting) == (2, 10))
    status = client.status
    assert (status.state, status.undeclared, status.consecutive_failures) == ("fresh", 1, 0)
    assert isinstance(status.last_error, httpx.HTTPStatusError)
    passed = proxy.faulted
    until(lambda: proxy.faulted > passed + 100)
    assert refused < 50
    assert log.warnings == [("ERROR", program.declaration_failed)]
    proxy.fault = None
    program.reload(client)
    assert client.status.undeclared == 0
    assert other.get(user="a") == 0
    assert log.times("setting declarations work again") == 1


def test_queries_that_fail_at_start(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """If only declarations get responses, the defaults in these responses apply."""
    proxy.fault = to_queries(responses(status=500))
    client = program.run(proxy.url, startup="best-effort")
    assert values(setting) == (10, 10)
    assert client.status.state == "failed"
    proxy.fault = None
    program.wait_until_fresh(client)
    assert values(setting) == (1, 10)
    assert log.warnings == [UPDATE_FAILED]


def test_closing_during_a_fault(program: Program, proxy: FaultProxy, setting: Setting[int]) -> None:
    """A client that waits for a response can be closed at once, and keeps its last values."""
    before = program.running()
    client = program.run(proxy.url)
    proxy.fault = never_responds
    until(lambda: proxy.connections)
    closing = time.monotonic()
    program.close()
    assert time.monotonic() - closing < 20
    assert client.status.state == "closed"
    assert values(setting) == (1, 10)
    until(lambda: program.running() <= before)
