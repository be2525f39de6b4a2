"""The stream of changes."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from heksherlite.service import embedded
from heksherlite.service.app import create_app
from heksherlite.service.domain import context_features
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.api import FEATURES, Api


class Stream:
    """An open stream. Its events are read one by one, as kind, id and data."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, str, Any]:
        """Wait for the next event that has data."""
        fields = dict[str, str]()
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                return fields["event"], fields["id"], json.loads(fields["data"])
            else:
                fields.clear()
        raise EOFError

    def change(self) -> list[str] | None:
        """Wait for the next change; return the names of the settings."""
        kind, _, data = self.next()
        assert kind == "change"
        names: list[str] | None = data["settings"]
        return names


def number_of(event_id: str) -> int:
    """Return the number of the revision that is the id of an event."""
    number, _, _ = event_id.partition("-")
    return int(number)


@contextmanager
def opened(api: Api, last_event_id: object = None, **params: str) -> Iterator[Stream]:
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    with api.http.stream("GET", "/api/v1/stream", params=params, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


@pytest.fixture
def stored(api: Api) -> Api:
    """Return a client of a service with two settings."""
    api.declare("x")
    api.declare("y")
    return api


def test_each_kind_of_change(stored: Api) -> None:
    """Each change of a setting, its rules or the order of context features is one event."""
    with opened(stored) as stream:
        kind, revision, data = stream.next()
        assert (kind, data) == ("ready", {"spread": 0.0005})
        rule_id = stored.add_rule(1, "x", user="a")
        kind, later, data = stream.next()
        record = stored.history(limit=1)[0]
        changed_at = data.pop("changed_at")
        assert (kind, data) == ("change", {"settings": ["x"], "spread": 0.0005})
        assert datetime.fromisoformat(changed_at) == datetime.fromisoformat(record["time"])
        assert number_of(later) == number_of(revision) + 1
        stored.call("PUT", f"rules/{rule_id}/value", {"value": 2})
        assert stream.change() == ["x"]
        stored.call("DELETE", f"rules/{rule_id}")
        assert stream.change() == ["x"]
        stored.declare("z")
        assert stream.change() == ["z"]
        stored.call("PUT", "settings/z/name", {"name": "w", "version": "2.0"})
        assert stream.change() == ["w", "z"]
        stored.call("DELETE", "settings/w")
        assert stream.change() == ["w", "z"]
        stored.call("PATCH", "context_features/theme/index", {"to_before": "environment"})
        assert stream.change() is None


def test_some_settings(stored: Api) -> None:
    """With names, a stream contains the changes of these settings, by any of their names."""
    stored.declare("z", alias="x", version="1.1")
    with opened(stored, settings="x,later") as stream:
        stream.next()
        stored.add_rule(1, "y", user="a")
        stored.add_rule(1, "z", user="a")
        assert stream.change() == ["z"]
        stored.declare("later")
        assert stream.change() == ["later"]


def test_some_rules(stored: Api) -> None:
    """With a filter, a stream contains the changes of settings and of rules that pass the filter."""
    with opened(stored, context_filters="user:(a,b)") as stream:
        stream.next()
        others = stored.add_rule(1, "x", user="c")
        stored.add_rule(1, "x", user="a", environment="e")
        stored.call("DELETE", f"rules/{others}")
        rule_id = stored.add_rule(1, "y", user="b")
        assert stream.change() == ["y"]
        stored.call("DELETE", f"rules/{rule_id}")
        assert stream.change() == ["y"]
        stored.declare("x", default_value=1, version="1.1")
        assert stream.change() == ["x"]


def test_resuming(stored: Api) -> None:
    """With the id of the last event, a stream starts with one event that contains all missed changes."""
    with opened(stored) as stream:
        _, seen, _ = stream.next()
    stored.add_rule(1, "x", user="a")
    stored.add_rule(1, "y", user="a")
    with opened(stored, seen) as stream:
        assert stream.next()[:2] == ("ready", seen)
        kind, revision, data = stream.next()
        assert (kind, number_of(revision), data["settings"]) == ("change", number_of(seen) + 2, ["x", "y"])
        stored.add_rule(1, "x", user="b")
        assert stream.change() == ["x"]


@pytest.mark.parametrize("number", [0, 99999999, None])
def test_resuming_after_the_unknown(stored: Api, number: int | None) -> None:
    """If the missed changes are unknown, everything may have changed."""
    with opened(stored) as stream:
        _, newest, _ = stream.next()
    number = number_of(newest) if number is None else number
    with opened(stored, f"{number}-0123456789ab") as stream:
        stream.next()
        assert stream.change() is None


@pytest.mark.parametrize("last_event_id", ["", "nonsense", "-1", "1", "1-²", "9" * 5000])
def test_malformed_ids_are_ignored(stored: Api, last_event_id: str) -> None:
    """With a malformed id, the stream starts at the current revision."""
    request = stored.http.build_request("GET", "/api/v1/stream", headers={b"last-event-id": last_event_id.encode()})
    response = stored.http.send(request, stream=True)
    try:
        stream = Stream(response)
        stream.next()
        stored.add_rule(1, "x", user="a")
        assert stream.change() == ["x"]
    finally:
        response.close()


def test_bad_parameters(api: Api) -> None:
    """A malformed list of names or filter is refused."""
    assert api.get("stream", settings="a b").status_code == 422
    assert api.get("stream", context_filters="user:").status_code == 422


def test_queries_say_where_the_stream_is(stored: Api) -> None:
    """Responses to queries have a link to the stream, 304 included."""
    response = stored.get("query", settings="x")
    link = '<stream>; rel="monitor"'
    assert response.headers["link"] == link
    unchanged = stored.http.get(
        "/api/v1/query", params={"settings": "x"}, headers={"If-None-Match": response.headers["etag"]}
    )
    assert (unchanged.status_code, unchanged.headers["link"]) == (304, link)


def test_the_spread_grows_with_the_streams() -> None:
    """Each open stream adds half a millisecond to the spread of the queries after an event."""
    with embedded(context_features=FEATURES) as service, closing(Api(service.url)) as api, opened(api) as first:
        assert first.next()[2] == {"spread": 0.0005}
        with opened(api) as second:
            assert second.next()[2] == {"spread": 0.001}
            api.declare("x")
            assert first.next()[2]["spread"] == second.next()[2]["spread"] == 0.001


def test_a_service_that_stops_ends_its_streams() -> None:
    """A service that stops closes its streams, and does not wait for them."""
    with embedded(context_features=FEATURES) as service:
        opening = httpx.stream("GET", service.url + "/api/v1/stream", timeout=10)
        response = opening.__enter__()
        stream = Stream(response)
        stream.next()
    with pytest.raises(EOFError):
        stream.next()
    opening.__exit__(None, None, None)


HOST = (b"host", b"127.0.0.1")  # a service without tokens responds to no other


async def slow_client(tmp_path: Path) -> list[bytes]:
    """Return the events for a client that does not read until there were ten changes."""
    database = SqliteDatabase(tmp_path / "settings.db")
    await database.prepare()
    store = Store(database)
    await store.load()
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    taken = asyncio.Event()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.put_nowait(message.get("body", b""))
            await taken.wait()

    scope = {"type": "http", "method": "GET", "path": "/api/v1/stream", "query_string": b"", "headers": [HOST]}
    app = create_app(store)
    stream = asyncio.create_task(app(scope, receive, send))
    first = await sent.get()
    for number in range(10):
        await store.write(partial(context_features.add, name=f"feature{number}"))
    taken.set()
    second = await sent.get()
    app.state.context.streams.close()
    await stream
    await store.close()
    return [first, second, *(sent.get_nowait() for _ in range(sent.qsize()))]


def test_a_client_that_does_not_read(tmp_path: Path) -> None:
    """A client that reads late gets one event with all changes."""
    ready, change, end = asyncio.run(slow_client(tmp_path))
    assert ready.startswith(b"retry: 2000\nevent: ready\n")
    assert change.startswith(b"event: change\n")
    assert end == b""
