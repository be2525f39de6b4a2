import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from heksherlite import AsyncHeksherClient, ServiceResponseError, Setting, SettingData, main_client
from tests.sdk.conftest import ALL, Log, async_client
from tests.sdk.scripted_service import DECLARE, QUERY, Received, Scripted, ScriptedService
from tests.service.api import FEATURES, Api
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

UNREACHABLE = "http://127.0.0.1:9"


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that as many tasks run after the block as before it."""
    before = {task.id for task in anyio.get_running_tasks()}
    yield
    await until_async(lambda: {task.id for task in anyio.get_running_tasks()} <= before)


async def test_async_with(service: Api) -> None:
    """``async with`` loads the rules, follows changes in the background, and ends what it began."""
    setting = Setting("x", int, ["user"], 1)
    async with nothing_left(), async_client(service.url, 0.01) as client:
        assert isinstance(client, AsyncHeksherClient)
        assert setting.get(user="a") == 1
        service.add_rule(2, "x", user="a")
        await until_async(lambda: setting.get(user="a") == 2)
    assert setting.get(user="a") == 2


async def test_set_as_main_and_aclose(service: Api) -> None:
    """``set_as_main`` returns when everything is loaded; aclose may be called twice, and without set_as_main."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    client = async_client(service.url)
    async with nothing_left():
        await client.aclose()
        await client.set_as_main()
        assert setting.get(user="a") == 2
        await client.aclose()
        await client.aclose()


async def test_close_is_deprecated(service: Api) -> None:
    """``close`` does what aclose does, with a DeprecationWarning."""
    client = async_client(service.url)
    async with nothing_left():
        await client.set_as_main()
        with pytest.deprecated_call(match="aclose"):
            await client.close()
    assert not client.is_live


async def test_different_tasks_may_start_and_end_it(service: Api) -> None:
    """``set_as_main`` and aclose work in different tasks, of which the first has ended when the second begins."""
    client = async_client(service.url, 0.01)
    setting = Setting("x", int, ["user"], 1)
    async with nothing_left():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.set_as_main)
        service.add_rule(2, "x", user="a")
        await until_async(lambda: setting.get(user="a") == 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.aclose)


async def test_an_unreachable_service(log: Log) -> None:
    """``set_as_main`` raises an httpx.HTTPError if the service is unreachable, and leaves no main client or task."""
    setting = Setting("x", int, ["user"], 1)
    client = async_client(UNREACHABLE)
    async with nothing_left():
        with pytest.raises(httpx.HTTPError):
            await client.set_as_main()
    assert not client.is_live
    assert main_client.main() is None
    assert setting.get(user="a") == 1
    assert log.of("failure to get context_features from heksher service")


@pytest.mark.parametrize("path", [DECLARE, QUERY])
@pytest.mark.parametrize("status", [400, 422, 500, 503, 302])
async def test_error_statuses(scripted: ScriptedService, path: str, status: int) -> None:
    """``set_as_main`` raises an httpx.HTTPStatusError for error responses to a declaration or to the first query."""
    scripted.script[path] = Scripted(status=status)
    setting = Setting("x", int, ["user"], 1)
    async with nothing_left():
        with pytest.raises(httpx.HTTPStatusError, match=str(status)):
            await async_client(scripted.url).set_as_main()
        await until_async(lambda: scripted.connections == 0)
    assert main_client.main() is None
    assert setting.get(user="a") == 1


async def test_a_malformed_first_response(scripted: ScriptedService) -> None:
    """An unusable response makes ``set_as_main`` raise a ServiceResponseError that names the request and the place."""
    scripted.script[QUERY] = Scripted({"settings": []})
    with pytest.raises(ServiceResponseError, match=r"GET /api/v1/query.*settings"):
        async with async_client(scripted.url):
            pytest.fail("the body must not run")
    assert main_client.main() is None


async def test_a_failed_client_can_be_tried_again(scripted: ScriptedService) -> None:
    """After a failed set_as_main the same client can be made main, with the settings that wait."""
    scripted.script[QUERY] = Scripted(status=500)
    setting = Setting("x", int, ["user"], 1)
    client = async_client(scripted.url)
    with pytest.raises(httpx.HTTPError):
        await client.set_as_main()
    scripted.serve("x", 5)
    async with client:
        assert setting.get(user="a") == 5


async def test_a_closed_client_can_be_started_again(service: Api) -> None:
    """After aclose the same client can be made main again; settings made in between are declared then."""
    client = async_client(service.url)
    first = Setting("first", int, ["user"], 1)
    async with client:
        pass
    second = Setting("second", int, ["user"], 1)
    for setting in (first, second):
        service.declare(setting.name, configurable_features=["user"], default_value=1)
        service.add_rule(2, setting.name, user="a")
    async with client:
        assert (first.get(user="a"), second.get(user="a")) == (2, 2)


async def test_reload(service: Api) -> None:
    """``reload`` loads now."""
    setting = Setting("x", int, ["user"], 1)
    async with async_client(service.url) as client:
        service.add_rule(2, "x", user="a")
        await client.reload()
        assert setting.get(user="a") == 2


async def test_reload_raises(scripted: ScriptedService) -> None:
    """``reload`` raises what goes wrong with declarations and rules; afterwards the client still runs."""
    async with async_client(scripted.url) as client:
        scripted.script[QUERY] = Scripted(status=500)
        with pytest.raises(httpx.HTTPStatusError, match="500"):
            await client.reload()
        scripted.script[DECLARE] = Scripted(status=418)
        scripted.serve("x", 5)
        setting = Setting("x", int, ["user"], 1)
        with pytest.raises(httpx.HTTPStatusError, match="418"):
            await client.reload()
        scripted.script[DECLARE] = Scripted({"outcome": "created"})
        await client.reload()
        assert setting.get(user="a") == 5


async def test_reload_needs_a_running_client(service: Api) -> None:
    """``reload`` of a client that was not started, or was closed, is a RuntimeError."""
    client = async_client(service.url)
    with pytest.raises(RuntimeError, match=r"is not running; call set_as_main|is closed"):
        await client.reload()
    async with client:
        pass
    with pytest.raises(RuntimeError, match=r"is not running; call set_as_main|is closed"):
        await client.reload()


async def test_reload_restarts_the_interval(scripted: ScriptedService) -> None:
    """The next update by itself is an interval after the last reload, give or take a tenth."""
    async with async_client(scripted.url, 1000) as client:
        runner = client._runner
        assert runner is not None
        for _ in range(3):
            now = anyio.current_time()
            runner._schedule._next = now
            await client.reload()
            assert runner._schedule._next >= now + 900


async def test_ping(scripted: ScriptedService) -> None:
    """``ping`` asks for the health, and raises an httpx.HTTPError if that is bad; the client need not be main."""
    client = async_client(scripted.url)
    await client.ping()
    assert [(request.method, request.path) for request in scripted.received] == [("GET", "/api/health")]
    scripted.script["/api/health"] = Scripted({"version": "0"}, status=500)
    with pytest.raises(httpx.HTTPError):
        await client.ping()
    with pytest.raises(httpx.HTTPError):
        await async_client(UNREACHABLE).ping()
    await until_async(lambda: scripted.connections == 0)


async def test_get_settings(service: Api) -> None:
    """``get_settings`` returns all settings of the service, also those that the program does not know."""
    service.declare("a.b", configurable_features=["user", "environment"], metadata={"k": [1]})
    service.declare("c", configurable_features=["user"], type="Sequence<str>", default_value=["x"])
    service.declare(
        "d", configurable_features=["user"], type="Sequence<str>", default_value=["x"], alias="c", version="1.1"
    )
    client = async_client(service.url)
    assert await client.get_settings() == {
        "a.b": SettingData("a.b", ["environment", "user"], "int", 60, {"k": [1]}, [], "1.0"),
        "d": SettingData("d", ["user"], "Sequence<str>", ["x"], {}, ["c"], "1.1"),
    }
    async with client:
        assert set(await client.get_settings()) == {"a.b", "d"}


async def test_http_client_args(scripted: ScriptedService) -> None:
    """``http_client_args`` go to httpx: headers, auth, event hooks."""
    seen: list[httpx.Request] = []

    async def see(request: httpx.Request) -> None:
        seen.append(request)

    args = {"headers": {"api_token": "t"}, "auth": ("user", "secret"), "event_hooks": {"request": [see]}}
    client = AsyncHeksherClient(scripted.url, 1000, FEATURES, http_client_args=args)
    client.track_contexts(**ALL)
    setting = Setting("x", int, ["user"], 1)
    async with client:
        assert len(seen) == len(scripted.received)
    for request in scripted.received:
        assert request.headers["api_token"] == "t"  # noqa: S105 - a token for nobody
        assert request.headers["Authorization"].startswith("Basic ")
    assert "secret" not in repr(client)
    assert setting.get(user="a") == 1


async def test_a_service_below_a_path(scripted: ScriptedService) -> None:
    """The service's URL may have a path."""
    scripted.script |= {f"/behind/proxy{path}": response for path, response in scripted.script.items()}
    async with async_client(scripted.url + "/behind/proxy"):
        assert {request.path.startswith("/behind/proxy/api/") for request in scripted.received} == {True}


@pytest.mark.parametrize("url", ["", "localhost:8888", "ftp://host", "http://", "http://host:port", "/path"])
async def test_bad_urls(url: str) -> None:
    """A URL that is not an HTTP URL is a ValueError at once."""
    with pytest.raises(ValueError, match="service_url"):
        async_client(url)


class Watcher(AsyncHeksherClient):
    """Records the calls of its callbacks."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 1000, FEATURES)
        self.track_contexts(**ALL)
        self.noted: list[str] = []

    def on_update_ok(self) -> None:
        self.noted.append("ok")

    def on_update_error(self, exception: Exception) -> None:
        self.noted.append(type(exception).__name__)
        raise RuntimeError("a callback must not hurt")


async def test_callbacks(scripted: ScriptedService, log: Log) -> None:
    """``on_update_ok`` is called after each good update, on_update_error with the exception after each bad one."""
    scripted.script[QUERY] = Scripted({"settings": {}}, headers={"ETag": '"1"'})
    async with Watcher(scripted.url) as client:
        assert client.noted == ["ok"]
        scripted.script[QUERY] = Scripted(status=500)
        with pytest.raises(httpx.HTTPStatusError):
            await client.reload()
        scripted.script[QUERY] = Scripted(status=304)
        await client.reload()
        assert client.noted == ["ok", "HTTPStatusError", "ok"]
    assert log.of("error in a callback of heksher client")


async def test_later_failures_do_not_stop_the_loop(scripted: ScriptedService, log: Log) -> None:
    """Failures after the first load are logged once, when they begin and when they end, and updates go on."""
    setting = Setting("x", int, ["user"], 1)
    async with async_client(scripted.url, 0.01) as client:
        scripted.script[QUERY] = Scripted(b"nonsense")
        await until_async(lambda: client.status.consecutive_failures > 2)
        scripted.serve("x", 5)
        await until_async(lambda: setting.get(user="a") == 5)
        await client.wait_until_fresh(5)
        assert log.one("error during heksher update")["levelname"] == "ERROR"
        ended = log.one("heksher update works again")
        assert ended["levelname"] == "INFO"
        assert ended["times"] > 2


async def test_reload_waits_for_pending_declarations(scripted: ScriptedService) -> None:
    """``reload`` returns after the responses to the declarations that were pending when it was called."""
    order: list[str] = []

    def note(request: Received) -> Scripted:
        order.append(request.path)
        return Scripted({"outcome": "created"} if request.path == DECLARE else {"settings": {}})

    scripted.script |= {DECLARE: note, QUERY: note, "/api/v1/settings/x": Scripted(status=404)}
    async with async_client(scripted.url) as client:
        order.clear()
        setting = Setting("x", int, ["user"], 1)
        await client.reload()
        assert order[0] == DECLARE
        assert QUERY in order
        assert client._engine.registry.pending == []
    assert setting.get(user="a") == 1


async def test_a_client_that_is_main_cannot_become_it(service: Api) -> None:
    """``set_as_main`` of the main client is a RuntimeError, and it stays the main one."""
    async with async_client(service.url) as client:
        with pytest.raises(RuntimeError, match="main"):
            await client.set_as_main()
        assert client.is_live
        assert main_client.main() is client


@pytest.mark.parametrize("make", [async_client, Watcher])
async def test_nothing_happens_before_it_is_started(
    scripted: ScriptedService, make: Callable[[str], AsyncHeksherClient]
) -> None:
    """Making a client connects nothing and starts nothing, and dropping it leaves nothing."""
    async with nothing_left():
        make(scripted.url)
        gc.collect()
    assert (scripted.received, scripted.connections) == ([], 0)
