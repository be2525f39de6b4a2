"""Unusual responses that are not failures, and what clients take from them."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from heksherlite import Setting
from tests.faults.conftest import Stored
from tests.faults.faults import lines, responses, to_queries, without_tag
from tests.faults.program import Log, Program, program_of
from tests.faults.proxy import Exchange, Fault, FaultProxy, Response
from tests.sdk.scripted_service import queried, rule
from tests.service.api import FEATURES
from tests.waiting import until


def get(setting: Setting[Any], user: str = "a") -> Any:
    return setting.get(environment="e", user=user)


def some_polls(proxy: FaultProxy) -> None:
    """Wait until the fault has met three more polls."""
    seen = proxy.faulted
    until(lambda: proxy.faulted > seen + 3)


def tagged(body: Any, media_type: str = "application/json") -> Fault:
    """Respond to queries with this body, and with 304 if the client has it."""

    def treat(exchange: Exchange) -> None:
        if exchange.headers.get("if-none-match") == '"odd"':
            exchange.respond(Response(304))
        else:
            responses(body, ETag='"odd"', Content_Type=media_type)(exchange)

    return to_queries(treat)


def test_unknown_settings(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """Settings in a response that the client did not request are ignored."""
    client = program.run(proxy.url)
    proxy.fault = tagged({"settings": queried("y", 7)["settings"] | queried("x", 8, rule(1, 2, user="a"))["settings"]})
    until(lambda: get(setting) == 2)
    some_polls(proxy)
    assert get(setting, "b") == 8
    assert client.status.state == "fresh"
    assert log.warnings == []


def test_missing_settings(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """A setting that is missing in a response keeps its values."""
    client = program.run(proxy.url)
    proxy.fault = tagged({"settings": {}})
    some_polls(proxy)
    assert (get(setting), get(setting, "b")) == (1, 10)
    assert client.status.state == "fresh"
    assert log.warnings == []


TWICE = [rule(1, 2, user="a"), rule(2, 3, user="a")]
IN_LINES = [
    {"context_features": FEATURES},
    {"setting": "x", "default_value": 10, "whole": True},
    {"rule_ids": [1, 2], "context_features": ["user"], "context_values": [["a", "a"]], "values": [2, 3]},
    {"settings": 1},
]


@pytest.mark.parametrize(
    "fault",
    [tagged(queried("x", 10, *TWICE)), tagged(lines(*IN_LINES), "application/x-ndjson")],
    ids=["v1", "lines"],
)
def test_duplicate_rules(fault: Fault, program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """Of two rules with the same conditions the later one wins, and one record reports it."""
    client = program.run(proxy.url)
    proxy.fault = fault
    until(lambda: get(setting) == 3)
    some_polls(proxy)
    assert client.status.state == "fresh"
    assert log.warnings == [("ERROR", "rule conflict, overlapping values for context")]


def at_most_a_hundred(value: int, _rule: Any, _setting: Any) -> int:
    if value > 100:
        raise ValueError("too much")
    return value


def test_values_that_validators_reject(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A rule keeps its last good value if its new value is rejected. One record reports it, even after many polls."""
    setting.add_validator(at_most_a_hundred)
    client = program.run(proxy.url)
    good = get(setting)
    stored.change(101)
    until(lambda: bool(log.warnings))
    assert get(setting) == good
    seen = proxy.passed
    until(lambda: proxy.passed > seen + 3)
    assert client.status.state == "fresh"
    assert log.warnings == [("WARNING", "setting update rejected rules")]
    stored.change(99)
    until(lambda: get(setting) == 99)


def test_a_service_without_tags(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """An unusable value is reported once, even if the service sends everything at each poll. Changes still apply."""
    setting.add_validator(at_most_a_hundred)
    stored.change(101)
    proxy.fault = to_queries(without_tag)
    client = program.run(proxy.url)
    assert (get(setting), client.status.revision) == (10, None)
    some_polls(proxy)
    assert log.warnings == [("WARNING", "setting update rejected rules")]
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert client.status.state == "fresh"
    assert len(log.warnings) == 1


def test_a_default_that_is_deep(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """A default of a thousand nested lists is refused, and the last valid default stays."""
    client = program.run(proxy.url)
    deep = b"[" * 1000 + b"]" * 1000
    proxy.fault = tagged(b'{"settings":{"x":{"default_value":' + deep + b',"rules":[]}}}')
    until(lambda: get(setting) == 10)
    some_polls(proxy)
    assert client.status.state == "fresh"
    assert log.warnings == [("WARNING", "setting default value discarded default due to conversion error")]


def test_a_tag_that_changes_with_the_same_body(
    program: Program, proxy: FaultProxy, setting: Setting[int], log: Log
) -> None:
    """If only the tag changes, nothing else does, and no listener is called."""
    changes: list[object] = []
    setting.on_change(lambda before, after: changes.append((before, after)))
    client = program.run(proxy.url)
    before = list(changes)

    def retag(exchange: Exchange) -> None:
        exchange.headers.pop("if-none-match", None)
        response = exchange.ask_service()
        exchange.respond(replace(response, headers={**response.headers, "etag": f'"{time.monotonic_ns()}"'}))

    proxy.fault = to_queries(retag)
    revision = client.status.revision
    some_polls(proxy)
    assert client.status.revision != revision
    assert (get(setting), get(setting, "b")) == (1, 10)
    assert client.status.state == "fresh"
    assert changes == before
    assert log.warnings == []


def test_the_same_tag_with_another_body(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A body that arrives is applied, whatever its tag is."""

    def keep_tag(exchange: Exchange) -> None:
        exchange.headers.pop("if-none-match", None)
        response = exchange.ask_service()
        exchange.respond(replace(response, headers={**response.headers, "etag": '"1"'}))

    proxy.fault = to_queries(keep_tag)
    client = program.run(proxy.url)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert client.status.revision == '"1"'
    assert log.warnings == []


TAGS = {
    "none": b"",
    "two": b'ETag: "1"\r\nETag: "2"\r\n',
    "two, one of them empty": b'ETag: "1"\r\nETag:\r\n',
    "not ASCII": b'ETag: "\xe4"\r\n',
    "UTF-8": b'ETag: "\xc3\xa4"\r\n',
    "a tab": b'ETag: "\t"\r\n',
    "very long": b'ETag: "' + b"x" * 20_000 + b'"\r\n',
}


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_tags_that_cannot_be_sent_back(
    tag: bytes, program: Program, proxy: FaultProxy, setting: Setting[int], log: Log
) -> None:
    """An invalid tag is ignored: it is not sent back, and polling continues."""
    sent: list[str | None] = []

    def treat(exchange: Exchange) -> None:
        sent.append(exchange.headers.get("if-none-match"))
        head = Response(200, body, {"Content-Type": "application/json"}).head
        exchange.send(head[:-2] + tag + b"\r\n" + body)

    body = json.dumps(queried("x", 10, rule(1, 2, user="a"))).encode()
    client = program.run(proxy.url)
    proxy.fault = to_queries(treat)
    until(lambda: get(setting) == 2)
    some_polls(proxy)
    assert client.status.state == "fresh"
    assert set(sent[1:]) == {None}
    assert log.warnings == []


def test_a_304_for_a_client_without_tag(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A 304 for a request without a tag is a failure."""

    def untag(exchange: Exchange) -> None:
        response = exchange.ask_service()
        exchange.respond(replace(response, headers={**response.headers, "etag": ""}))

    proxy.fault = to_queries(untag)
    client = program.run(proxy.url)
    assert get(setting) == 1
    proxy.fault = to_queries(lambda exchange: exchange.respond(Response(304)))
    stored.change(2)
    until(lambda: client.status.consecutive_failures > 1)
    assert "304" in str(client.status.last_error)
    assert get(setting) == 1
    proxy.fault = None
    program.wait_until_fresh(client)
    assert get(setting) == 2
    assert log.warnings == [("ERROR", "error during heksher update")]


def test_a_reset_after_a_response(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A reset of an idle connection is not a failure. The next poll opens another connection."""

    def respond_and_reset(exchange: Exchange) -> None:
        exchange.respond(exchange.ask_service())
        exchange.wait(0.005)
        exchange.reset()

    client = program.run(proxy.url)
    proxy.fault = respond_and_reset
    some_polls(proxy)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert client.status.state == "fresh"
    assert log.warnings == []


def test_a_reset_of_each_second_request(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """A connection that is reset when it is reused is not a failure. The request is sent again on another one."""
    resets = 0

    def reset_if_reused(exchange: Exchange) -> None:
        nonlocal resets
        if exchange.number > 1:
            resets += 1
            exchange.reset()
        else:
            exchange.respond(exchange.ask_service())

    client = program.run(proxy.url)
    proxy.fault = reset_if_reused
    until(lambda: resets > 2)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert client.status.state == "fresh"
    assert log.warnings == []


def test_redirects_that_are_followed(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], log: Log
) -> None:
    """With ``follow_redirects``, the client follows a redirect to the service."""
    client = program.run(proxy.url, http_client_args={"follow_redirects": True})
    proxy.fault = lambda exchange: responses(status=307, Location=stored.api.url + exchange.target)(exchange)
    stored.change(2)
    until(lambda: get(setting) == 2)
    assert client.status.state == "fresh"
    assert log.warnings == []


def test_retry_after(program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int]) -> None:
    """A client waits as long as Retry-After says."""
    asked: list[float] = []

    def refuse(exchange: Exchange) -> None:
        asked.append(time.monotonic())
        responses(status=429, Retry_After="1")(exchange)

    client = program.run(proxy.url)
    proxy.fault = refuse
    until(lambda: client.status.consecutive_failures)
    proxy.fault = None
    stored.change(2)
    program.wait_until_fresh(client)
    assert time.monotonic() - asked[0] >= 1
    assert len(asked) == 1
    assert get(setting) == 2


@pytest.mark.thorough
def test_a_million_rules(stored: Stored, setting: Setting[int], log: Log) -> None:
    """A million rules are served, and the update after them is fast again."""
    count, portion = 1_000_000, 1000
    body = [
        {"context_features": FEATURES},
        {"setting": "x", "default_value": 10, "whole": True},
        *(
            {
                "rule_ids": list(range(start, start + portion)),
                "context_features": ["user"],
                "context_values": [[f"u{number}" for number in range(start, start + portion)]],
                "values": list(range(start, start + portion)),
            }
            for start in range(0, count, portion)
        ),
        {"settings": 1},
    ]
    huge = lines(*body)
    del body
    with FaultProxy(stored.api.url) as proxy, program_of("thread") as program:
        client = program.run(proxy.url, response_timeout=30)
        proxy.fault = tagged(huge, "application/x-ndjson")
        until(lambda: get(setting, f"u{count - 1}") == count - 1)
        assert get(setting, "u0") == 0
        proxy.fault = None
        until(lambda: get(setting, "u0") == 10)
        assert client.status.state == "fresh"
        assert log.warnings == []
