"""The service is replaced by another one, or restarted."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from heksherlite import Setting
from heksherlite.service import embedded
from tests.faults.conftest import Stored
from tests.faults.faults import to_queries, without_tag
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy, refuses_connections
from tests.service.api import FEATURES, Api
from tests.waiting import until

BEGINS = ("ERROR", "error during heksher update")
ENDS = "heksher update works again"
FILES = Path("/dev/fd")


@contextmanager
def another_service(context_features: Sequence[str]) -> Iterator[Api]:
    with embedded(context_features=context_features) as service:
        api = Api(service.url)
        with api.http:
            yield api


def open_files() -> int:
    return sum(1 for _ in FILES.iterdir())


def get(setting: Setting[int]) -> int:
    return setting.get(environment="e", user="a")


def test_an_empty_database(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A service with an empty database gets the declarations again, and its responses apply."""
    client = program.run(proxy.url)
    with another_service(FEATURES) as other:
        proxy.service_url = other.url
        until(lambda: get(setting) == 0)
        assert client.status.state == "fresh"
        assert other.setting("x")["default_value"] == 0
        other.add_rule(5, "x", user="a")
        until(lambda: get(setting) == 5)
        proxy.service_url = stored.api.url
        until(lambda: get(setting) == 1)
    assert client.status.state == "fresh"
    assert log.warnings == []


def test_other_context_features(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A service that lacks the program's context features refuses its settings, and the last values stay.

    One record reports that declarations fail, and one that they succeed again.
    """
    client = program.run(proxy.url)
    with another_service(["country"]) as other:
        proxy.service_url = other.url
        until(lambda: log.times(program.declaration_failed))
        seen = proxy.passed
        until(lambda: proxy.passed > seen + 6)
        assert get(setting) == 1
        assert client.status.undeclared == 1
        stored.change(2)
        proxy.service_url = stored.api.url
        until(lambda: get(setting) == 2)
        program.wait_until_fresh(client)
    assert log.warnings.count(("ERROR", program.declaration_failed)) == 1
    assert log.warnings.count(BEGINS) == 0
    assert client.status.undeclared == 0
    assert log.times("setting declarations work again") == 1


def test_reordered_context_features(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """If the order of the context features changes, other rules win, and one record reports the mismatch."""
    client = program.run(proxy.url)
    with another_service([*reversed(FEATURES)]) as other:
        there = Stored(other)
        other.add_rule(5, "x", environment="e")
        proxy.service_url = other.url
        until(lambda: get(setting) == 5)
        there.change(2)
        seen = proxy.passed
        until(lambda: proxy.passed > seen + 3)
        assert (get(setting), setting.get(environment="f", user="a")) == (5, 2)
        other.call("PATCH", "context_features/user/index", {"to_after": "environment"})
        until(lambda: get(setting) == 2)
        proxy.service_url = stored.api.url
        until(lambda: get(setting) == 1)
    assert client.status.state == "fresh"
    assert {*log.warnings} == {("WARNING", "context feature mismatch")}
    assert len(log.warnings) == 2


def test_a_new_order_without_tags(program: Program, proxy: FaultProxy, setting: Setting[int]) -> None:
    """The client notices a new order even if the service sends no tags and the same responses."""
    proxy.fault = to_queries(without_tag)
    with another_service(FEATURES) as other:
        proxy.service_url = other.url
        program.run(proxy.url)
        other.add_rule(1, "x", user="a")
        other.add_rule(5, "x", environment="e")
        until(lambda: get(setting) == 1)
        other.call("PATCH", "context_features/environment/index", {"to_after": "user"})
        until(lambda: get(setting) == 5)


def test_restarts_of_a_service(program: Program, setting: Setting[int], log: Log, tmp_path: Path) -> None:
    """The client follows the service after each restart with the same port and database."""
    with embedded(tmp_path / "settings.db", context_features=FEATURES) as service:
        url, port = service.url, int(service.url.rpartition(":")[2])
        stored = Stored(Api(url))
        client = program.run(url)
    with closing(stored.api):
        for number in (2, 3, 4):
            until(lambda: client.status.consecutive_failures)
            assert get(setting) == number - 1
            with embedded(tmp_path / "settings.db", port=port):
                stored.change(number)
                until(lambda: get(setting) == number)  # noqa: B023 - called in this very loop
                program.wait_until_fresh(client)
    assert log.warnings[:3] == [BEGINS] * 3
    assert log.times(ENDS) == 3


@pytest.mark.thorough
@pytest.mark.skipif(not FILES.is_dir(), reason="needs to count file descriptors")
def test_a_hundred_restarts_in_a_row(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """Restarts leave nothing behind: no task, thread, connection or file, and one record each."""
    client = program.run(proxy.url, 0.005)
    running = program.running()
    files = open_files()
    for _ in range(100):
        proxy.fault = refuses_connections
        until(lambda: client.status.consecutive_failures)
        proxy.fault = None
        program.wait_until_fresh(client)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert program.running() == running
    until(lambda: proxy.connections <= 2)
    assert open_files() <= files + 4
    assert log.warnings == [BEGINS] * 100
    assert log.times(ENDS) == 100
