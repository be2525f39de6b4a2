"""The stream of changes: changes arrive at once, and a broken stream does no harm."""

import httpx
import pytest

from heksherlite import Setting
from tests.faults.conftest import Stored
from tests.faults.faults import never_responds, only, responses, to_queries, without_tag
from tests.faults.program import INTERVAL, Log, Program
from tests.faults.proxy import Exchange, Fault, FaultProxy, Response
from tests.waiting import until

STREAM = "/api/v1/stream"
NEVER = 1000.0
EVENTS = {"Content-Type": "text/event-stream"}


def get(setting: Setting[int]) -> int:
    return setting.get(environment="e", user="a")


def test_changes_arrive(program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log) -> None:
    """A change applies long before the next poll. Closing the client leaves no connection behind."""
    before = program.running()
    client = program.run(proxy.url, NEVER, push=True)
    until(lambda: client.status.streaming)
    for value in range(2, 10):
        stored.change(value)
        until(lambda: get(setting) == value)  # noqa: B023 - called in this very loop
    program.close()
    assert not client.status.streaming
    until(lambda: program.running() <= before)
    until(lambda: proxy.connections == 0)
    assert log.warnings == []


def test_settings_that_come_later(program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int]) -> None:
    """The stream also covers settings that are created after it was opened."""
    targets: list[str] = []

    def note(exchange: Exchange) -> None:
        targets.append(exchange.target)
        exchange.pass_on()

    proxy.fault = only(STREAM, note)
    client = program.run(proxy.url, NEVER, push=True)
    until(lambda: client.status.streaming)
    later = Setting("later", int, ["user"], 0)
    until(lambda: len(targets) > 1 and client.status.streaming)
    assert "settings=x&" in targets[0]
    assert "settings=later%2Cx&" in targets[1]
    stored.api.add_rule(7, "later", user="a")
    until(lambda: later.get(user="a") == 7)
    stored.api.call("DELETE", "settings/later")
    assert get(setting) == 1


def drips(exchange: Exchange) -> None:
    """Begin an event and never end it."""
    exchange.send(Response(200, b"", {**EVENTS, "Transfer-Encoding": "chunked"}).head)
    exchange.send(b"7\r\ndata: 1\r\n")
    exchange.wait()
    exchange.hang_up()


def floods(exchange: Exchange) -> None:
    """Send one endless event as fast as possible."""
    exchange.send(Response(200, b"", {**EVENTS, "Transfer-Encoding": "chunked"}).head)
    while not exchange.wait(0):
        exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    exchange.hang_up()


LOST: dict[str, Fault] = {
    "404": responses(status=404),
    "401": responses(status=401),
    "500": responses(status=500),
    "429": responses(status=429, Retry_After="0"),
    "redirect": responses(status=302, Location="http://127.0.0.1:9/"),
    "empty": responses(),
    "HTML": responses(b"<html>", Content_Type="text/html"),
    "invalid UTF-8": responses(b"data: \xff\n", Content_Type="text/event-stream"),
    "never responds": never_responds,
    "an event that never ends": drips,
    "an event without limit": floods,
    "reset": lambda exchange: exchange.reset(),
    "closed": lambda exchange: exchange.hang_up(),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_stream_that_fails(
    fault: Fault, program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """While there is no stream, polling continues without a warning. Then the stream is opened again."""
    proxy.fault = only(STREAM, fault)
    client = program.run(proxy.url, INTERVAL, push=True)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert (client.status.state, client.status.streaming) == ("fresh", False)
    assert client.status.last_error is None
    proxy.fault = None
    until(lambda: client.status.streaming)
    assert log.warnings == []
    assert log.times("stream of changes lost") <= 1
    assert log.times("stream of changes works again") == 0  # it has yet to prove steady


def test_a_stream_that_is_cut(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """Changes that happened without a stream apply as soon as it is open again, however late the next poll is."""
    client = program.run(proxy.url, NEVER, push=True)
    until(lambda: client.status.streaming)
    proxy.fault = only(STREAM, lambda exchange: exchange.hang_up())
    until(lambda: not client.status.streaming)
    stored.change(2)
    proxy.fault = None
    until(lambda: get(setting) == 2)
    assert log.warnings == []
    assert log.times("stream of changes lost") == 1


def test_a_transport_with_one_connection(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int]
) -> None:
    """If the transport has only one connection, updates use it and there is no stream."""
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
    arguments = {"transport": transport, "timeout": httpx.Timeout(5, pool=0.1)}
    client = program.run(proxy.url, INTERVAL, push=True, http_client_args=arguments)
    stored.change(2)
    until(lambda: get(setting) == 2)
    until(lambda: client.status.last_error is not None)
    program.wait_until_fresh(client)
    stored.change(3)
    until(lambda: get(setting) == 3)
    assert not client.status.streaming


def test_events_while_updates_fail(program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int]) -> None:
    """A client waits as long as Retry-After says, whatever the stream sends."""
    asked: list[str] = []

    def refuse(exchange: Exchange) -> None:
        asked.append(exchange.target)
        responses(status=429, Retry_After="1000")(exchange)

    client = program.run(proxy.url, NEVER, push=True)
    until(lambda: client.status.streaming)
    proxy.fault = to_queries(refuse)
    stored.change(2)
    until(lambda: client.status.consecutive_failures)
    until(lambda: client.status.streaming)
    for value in range(3, 20):
        stored.change(value)
    proxy.fault = None
    until(lambda: client.status.streaming)
    program.reload(client)
    assert get(setting) == 19
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("fault", "push"), [(to_queries(without_tag), True), (Exchange.pass_on, False)], ids=["no stream", "push=False"]
)
def test_nobody_asks_for_a_stream(
    fault: Fault, push: bool, program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int]
) -> None:
    """A service that offers no stream gets no request for one, nor does a service whose program wants none."""
    asked: list[str] = []

    def treat(exchange: Exchange) -> None:
        asked.append(exchange.path)
        fault(exchange)

    proxy.fault = treat
    client = program.run(proxy.url, push=push)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert not client.status.streaming
    assert STREAM not in asked
