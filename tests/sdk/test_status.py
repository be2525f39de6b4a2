"""The status of a client, and its reaction to values that become stale."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import orjson
import pytest

from heksherlite import AsyncHeksherClient, ClientStatus, Setting, ThreadHeksherClient, main_client
from tests.sdk.conftest import Log
from tests.sdk.scripted_service import QUERY, Received, Scripted, ScriptedService
from tests.service.api import FEATURES, Api
from tests.waiting import until

UNREACHABLE = "http://127.0.0.1:9"


def thread_client(url: str, interval: float = 1000, **options: Any) -> ThreadHeksherClient:
    client = ThreadHeksherClient(url, interval, FEATURES, push=False, **options)
    client.track_contexts(environment="*", user="*", theme="*")
    return client


def async_client(url: str, interval: float = 1000, **options: Any) -> AsyncHeksherClient:
    client = AsyncHeksherClient(url, interval, FEATURES, push=False, **options)
    client.track_contexts(environment="*", user="*", theme="*")
    return client


@contextmanager
def failing(scripted: ScriptedService) -> Iterator[None]:
    """Have queries fail in the block."""
    well = scripted.script[QUERY]
    scripted.script[QUERY] = Scripted(status=500)
    yield
    scripted.script[QUERY] = well


def test_a_life(scripted: ScriptedService) -> None:
    """A client is starting, fresh, stale while updates fail, fresh again, and closed; its values stay."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 5)
    client = thread_client(scripted.url)
    assert client.status == ClientStatus("starting", "defaults", None, None, None, None, 0, False, 0)
    with client:
        status = client.status
        assert (status.state, status.source, status.consecutive_failures) == ("fresh", "service", 0)
        assert status.last_success is not None
        assert datetime.now(UTC) - status.last_success < timedelta(minutes=1)
        assert status.age is not None
        with failing(scripted):
            client.reload()
            client.reload()
            stale = client.status
            assert (stale.state, stale.source, stale.consecutive_failures) == ("stale", "service", 2)
            assert isinstance(stale.last_error, httpx.HTTPStatusError)
            assert stale.last_success == status.last_success
            assert stale.age is not None
            assert stale.age > status.age
            assert setting.get(user="a") == 5
        client.reload()
        assert (client.status.state, client.status.consecutive_failures) == ("fresh", 0)
    assert client.status.state == "closed"
    assert setting.get(user="a") == 5


def test_best_effort_without_a_service(log: Log) -> None:
    """A client that never reached its service has failed, serves defaults, and says so once."""
    setting = Setting("x", int, ["user"], 1)
    with thread_client(UNREACHABLE, 0.01) as client:
        until(lambda: client.status.consecutive_failures > 3)
        assert (client.status.state, client.status.source) == ("failed", "defaults")
        assert isinstance(client.status.last_error, httpx.ConnectError)
        assert setting.get(user="a") == 1
        with pytest.raises(TimeoutError):
            client.wait_until_fresh(0.01)
    log.one("error during heksher update")
    assert log.of("declaration failed") == []


def test_a_thread_client_can_require_its_service() -> None:
    """With ``startup="require"``, a thread client raises what went wrong, and leaves nothing running."""
    setting = Setting("x", int, ["user"], 1)
    client = thread_client(UNREACHABLE, startup="require")
    with pytest.raises(httpx.ConnectError):
        client.set_as_main()
    assert main_client.main() is None
    assert not client.is_live
    assert setting.get(user="a") == 1


@pytest.mark.anyio
async def test_an_async_client_can_do_without(scripted: ScriptedService) -> None:
    """With ``startup="best-effort"``, an async client starts without its service, and recovers by itself."""
    setting = Setting("x", int, ["user"], 1)
    with failing(scripted):
        client = async_client(scripted.url, 0.01, startup="best-effort")
        await client.set_as_main()
        assert client.status.state == "failed"
        assert setting.get(user="a") == 1
    scripted.serve("x", 5)
    await client.wait_until_fresh(5)
    assert setting.get(user="a") == 5
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.wait_until_fresh(5)


@pytest.mark.anyio
async def test_a_start_takes_no_longer_than_its_time_out(scripted: ScriptedService, log: Log) -> None:
    """A service that does not respond in time is a TimeoutError at the start, or a logged failure."""
    scripted.held.clear()
    client = async_client(scripted.url, 0.01, startup_timeout=0.05)
    with anyio.fail_after(5), pytest.raises(TimeoutError, match=r"startup_timeout of 0\.05 s"):
        await client.set_as_main()
    assert main_client.main() is None
    other = async_client(scripted.url, 0.01, startup_timeout=0.05, startup="best-effort")
    with anyio.fail_after(5):
        await other.set_as_main()
    assert other.status.state == "failed"
    assert "startup_timeout of 0.05 s" in log.one("error during heksher update")["message"]
    scripted.held.set()
    await other.wait_until_fresh(5)
    await other.aclose()


@pytest.mark.parametrize("on_stale", ["keep", "default", "function"])
def test_old_values(scripted: ScriptedService, log: Log, on_stale: Any) -> None:
    """When values are older than ``max_staleness``, they are kept, or defaults take over, or a function is called."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 5)
    told: list[ClientStatus] = []
    choice = told.append if on_stale == "function" else on_stale
    with thread_client(scripted.url, 0.01, max_staleness=0.1, on_stale=choice) as client:
        with failing(scripted):
            until(lambda: log.of("setting values are stale"))
            until(lambda: client.status.state == "stale")
            if on_stale == "default":
                until(lambda: setting.get(user="a") == 1)
                assert client.status.source == "defaults"
            else:
                assert setting.get(user="a") == 5
        client.wait_until_fresh(5)
        until(lambda: setting.get(user="a") == 5)
        assert client.status.source == "service"
    assert [status.state for status in told] == (["stale"] if on_stale == "function" else [])


def test_a_service_that_hangs_makes_values_old(scripted: ScriptedService) -> None:
    """Age counts also while an update waits for its response."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 5)
    with thread_client(scripted.url, 0.01, max_staleness=0.1, on_stale="default") as client:
        scripted.held.clear()
        until(lambda: setting.get(user="a") == 1)
        assert client.status.state == "stale"
        scripted.held.set()
        client.wait_until_fresh(5)
        assert setting.get(user="a") == 5


def test_a_response_that_arrives_after_the_return_to_defaults(scripted: ScriptedService) -> None:
    """A partial response to an earlier state is not applied. All rules are requested again."""
    setting = Setting("x", int, ["user"], 1)
    begins = {"setting": "x", "default_value": 5, "whole": True}
    rules = {"rule_ids": [1], "context_features": ["user"], "context_values": [["john"]], "values": [7]}
    change = {"rule_ids": [2], "context_features": ["user"], "context_values": [["jane"]], "values": [8]}
    lines = {"Content-Type": "application/x-ndjson"}

    def response(request: Received) -> Scripted:
        if "If-None-Match" not in request.headers:
            listed = [{"context_features": FEATURES}, begins, rules, {"settings": 1}]
            return Scripted(b"".join(orjson.dumps(line) + b"\n" for line in listed), headers={**lines, "ETag": '"1"'})
        until(lambda: setting.get(user="john") == 1)
        listed = [{"context_features": FEATURES}, {**begins, "whole": False}, change, {"settings": 1}]
        return Scripted(b"".join(orjson.dumps(line) + b"\n" for line in listed), 226, {**lines, "ETag": '"2"'})

    scripted.script[QUERY] = response
    with thread_client(scripted.url, 0.05, max_staleness=0.3, on_stale="default") as client:
        assert setting.get(user="john") == 7
        until(lambda: len(scripted.of(QUERY)) > 2)
        until(lambda: setting.get(user="john") == 7)
        assert "If-None-Match" not in scripted.of(QUERY)[2].headers
        assert client.status.source == "service"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"startup": "maybe"}, "startup must be"),
        ({"startup_timeout": 0}, "startup_timeout"),
        ({"max_staleness": -1}, "max_staleness"),
        ({"on_stale": "explode"}, "on_stale must be"),
        ({"response_timeout": 0}, "response_timeout"),
        ({"max_body_size": 0}, "max_body_size"),
        ({"update_interval": 0}, "update_interval"),
        ({"update_interval": float("nan")}, "update_interval"),
    ],
)
@pytest.mark.parametrize("kind", [ThreadHeksherClient, AsyncHeksherClient])
def test_arguments_out_of_range(kind: Any, options: dict[str, Any], message: str) -> None:
    """A wrong argument is a ValueError that names it."""
    arguments = {"service_url": UNREACHABLE, "update_interval": 1, "context_features": FEATURES, **options}
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_closing_is_bounded_and_can_be_repeated(service: Api) -> None:
    """``close`` may be called again, by a listener on the client's own thread too, and reads go on."""
    setting = Setting("x", int, ["user"], 1)
    client = thread_client(service.url)
    client.set_as_main()
    setting.on_change(lambda *_: client.close())
    service.add_rule(7, "x", user="a")
    client.reload()
    client.close()
    client.close()
    assert client.status.state == "closed"
    assert setting.get(user="a") == 7
