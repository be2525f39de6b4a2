import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from heksherlite import Setting, SettingData, ThreadHeksherClient, main_client
from tests.sdk.conftest import ALL, Connect, Log
from tests.sdk.scripted_service import DECLARE, QUERY, Scripted, ScriptedService
from tests.sdk.threads import own_threads
from tests.service.api import FEATURES, Api
from tests.waiting import until

UNREACHABLE = "http://127.0.0.1:9"


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that the block leaves no thread behind."""
    before = own_threads()
    yield
    assert own_threads() <= before


def client_of(url: str, interval: float = 1000) -> ThreadHeksherClient:
    """Return a client that tracks everything, and is not started."""
    client = ThreadHeksherClient(url, interval, FEATURES, push=False)
    client.track_contexts(**ALL)
    return client


def test_with(service: Api) -> None:
    """``with`` loads the rules, follows changes in the background, and ends its thread."""
    setting = Setting("x", int, ["user"], 1)
    with nothing_left(), client_of(service.url, 0.01) as client:
        assert isinstance(client, ThreadHeksherClient)
        service.add_rule(2, "x", user="a")
        until(lambda: setting.get(user="a") == 2)
    assert setting.get(user="a") == 2


def test_set_as_main_and_close(service: Api) -> None:
    """``set_as_main`` returns when everything is loaded; close may be called twice, and without set_as_main."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    client = client_of(service.url)
    with nothing_left():
        client.close()
        client.set_as_main()
        assert setting.get(user="a") == 2
        client.close()
        client.close()


def test_an_unreachable_service(log: Log) -> None:
    """The thread client logs that the service is unreachable, and goes on with defaults."""
    setting = Setting("x", int, ["user"], 1)
    with nothing_left(), client_of(UNREACHABLE) as client:
        assert main_client.main() is client
        assert setting.get(user="a") == 1
        log.one("error during heksher update")
        assert log.of("failure to get context_features from heksher service") == []
        assert log.of("declaration failed") == []  # it is the same outage
        assert log.one("error during heksher update")["levelname"] == "ERROR"


def test_it_recovers(scripted: ScriptedService) -> None:
    """Declarations that failed at the start are sent and rules are loaded as soon as the service responds."""
    scripted.script |= {DECLARE: Scripted(status=500), QUERY: Scripted(status=500)}
    setting = Setting("x", int, ["user"], 1)
    with client_of(scripted.url, 0.01):
        assert setting.get(user="a") == 1
        scripted.script[DECLARE] = Scripted({"outcome": "created"})
        scripted.serve("x", 5)
        until(lambda: setting.get(user="a") == 5)


def test_reload(service: Api) -> None:
    """``reload`` loads now."""
    setting = Setting("x", int, ["user"], 1)
    with client_of(service.url) as client:
        service.add_rule(2, "x", user="a")
        client.reload()
        assert setting.get(user="a") == 2


def test_reload_logs_failures(connect: Connect, scripted: ScriptedService, log: Log) -> None:
    """``reload`` of the thread client logs what goes wrong, and does not raise it."""
    client = connect(scripted.url)
    scripted.script[QUERY] = Scripted(status=500)
    client.reload()
    assert "500" in str(log.one("error during heksher update")["exc_info"][1])


def test_reload_needs_a_running_client(service: Api) -> None:
    """``reload`` of a client that was not started, or was closed, is a RuntimeError."""
    client = client_of(service.url)
    with pytest.raises(RuntimeError, match=r"is not running; call set_as_main|is closed"):
        client.reload()
    with client:
        pass
    with pytest.raises(RuntimeError, match=r"is not running; call set_as_main|is closed"):
        client.reload()


def test_ping(scripted: ScriptedService) -> None:
    """``ping`` raises an httpx.HTTPError if the health is bad; the client need not be main, but may."""
    client = client_of(scripted.url)
    with nothing_left():
        client.ping()
        assert [request.path for request in scripted.received] == ["/api/health"]
        until(lambda: scripted.connections == 0)
        with client:
            client.ping()
            scripted.script["/api/health"] = Scripted({"version": "0"}, status=500)
            with pytest.raises(httpx.HTTPError):
                client.ping()
        with pytest.raises(httpx.HTTPError):
            client_of(UNREACHABLE).ping()


def test_ping_beside_close(service: Api, connect: Connect) -> None:
    """Pings of several threads succeed while the client is closed, and after that."""
    client = connect(service.url)
    failures: list[BaseException] = []
    is_closed = threading.Event()

    def ping_often() -> None:
        try:
            for _ in range(3):
                client.ping()
            is_closed.wait(10)
            client.ping()
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            failures.append(error)

    threads = [threading.Thread(target=ping_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    client.close()
    is_closed.set()
    for thread in threads:
        thread.join(30)
    assert failures == []


def test_get_settings(service: Api) -> None:
    """``get_settings`` returns all settings of the service, main client or not."""
    service.declare("a.b", configurable_features=["user", "environment"], metadata={"k": [1]})
    expected = {"a.b": SettingData("a.b", ["environment", "user"], "int", 60, {"k": [1]}, [], "1.0")}
    client = client_of(service.url)
    assert client.get_settings() == expected
    with client:
        assert client.get_settings() == expected


def test_http_client_args(scripted: ScriptedService) -> None:
    """``http_client_args`` are those of httpx.Client: headers, auth, synchronous transports and event hooks."""
    seen: list[httpx.Response] = []
    args = {
        "headers": {"api_token": "t"},
        "auth": ("user", "secret"),
        "transport": httpx.HTTPTransport(retries=1),
        "event_hooks": {"response": [seen.append]},
    }
    client = ThreadHeksherClient(scripted.url, 1000, FEATURES, http_client_args=args)
    client.track_contexts(**ALL)
    scripted.serve("x", 5)
    setting = Setting("x", int, ["user"], 1)
    with client:
        assert setting.get(user="a") == 5
    assert len(seen) == len(scripted.received) > 2
    for request in scripted.received:
        assert request.headers["api_token"] == "t"  # noqa: S105 - a token for nobody
        assert request.headers["Authorization"].startswith("Basic ")
    until(lambda: scripted.connections == 0)


class Watcher(ThreadHeksherClient):
    """Records the calls of its callbacks."""

    noted: list[str]

    def on_update_ok(self) -> None:
        self.noted.append("ok")

    def on_update_error(self, exception: Exception) -> None:
        self.noted.append(type(exception).__name__)


def test_callbacks(scripted: ScriptedService) -> None:
    """``on_update_ok`` is called after each good update, on_update_error with the exception after each bad one."""
    client = Watcher(scripted.url, 1000, FEATURES)
    client.track_contexts(**ALL)
    client.noted = []
    with client:
        scripted.script[QUERY] = Scripted([])
        client.reload()
        scripted.script[QUERY] = Scripted({"settings": {}})
        client.reload()
    assert client.noted == ["ok", "ServiceResponseError", "ok"]


def test_closing_is_prompt(scripted: ScriptedService) -> None:
    """``close`` ends an update that waits for a response, and does not wait for it."""
    client = client_of(scripted.url, 0.01)
    with nothing_left():
        client.set_as_main()
        scripted.held.clear()
        asked = len(scripted.received)
        until(lambda: len(scripted.received) > asked)
        client.close()
        assert not scripted.held.is_set()
    scripted.held.set()


def test_a_closed_client_can_be_started_again(service: Api) -> None:
    """After close the same client can be made main again."""
    setting = Setting("x", int, ["user"], 1)
    client = client_of(service.url)
    with client:
        pass
    service.add_rule(2, "x", user="a")
    with client:
        assert setting.get(user="a") == 2


def test_settings_from_any_thread(service: Api, connect: Connect) -> None:
    """Settings may be created in any thread at any time; all are declared and loaded."""
    connect(service.url)
    made: list[Setting[int]] = []

    def make(thread: int) -> None:
        made.extend(Setting(f"x{thread}.{number}", int, ["user"], 1) for number in range(10))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: all(setting._lookup.loaded for setting in made))
    assert len(service.get("settings").json()["settings"]) == 40


def test_a_client_that_is_main_cannot_become_it(service: Api, connect: Connect) -> None:
    """``set_as_main`` of the main client is a RuntimeError, and it stays the main one."""
    client = connect(service.url)
    with pytest.raises(RuntimeError, match="main"):
        client.set_as_main()
    assert main_client.main() is client
    client.reload()


def test_nothing_happens_before_it_is_started(scripted: ScriptedService) -> None:
    """Making a client connects nothing and starts no thread, and dropping it leaves nothing."""
    with nothing_left():
        client_of(scripted.url)
        gc.collect()
    assert (scripted.received, scripted.connections) == ([], 0)
