from typing import Any

import httpx
import pytest

from heksherlite import AsyncHeksherClient, Rule, Setting, SyncStubHeksherClient, ThreadHeksherClient, main_client
from tests.sdk.conftest import ALL, Connect, async_client
from tests.sdk.scripted_service import DECLARE, Scripted, ScriptedService
from tests.service.api import FEATURES, Api
from tests.waiting import until


def client_of(url: str, interval: float = 1000, features: Any = FEATURES) -> ThreadHeksherClient:
    client = ThreadHeksherClient(url, interval, features, push=False)
    client.track_contexts(**{feature: ALL[feature] for feature in features})
    return client


def test_a_second_client_takes_over(service: Api, connect: Connect) -> None:
    """All settings follow the new main client, old ones and new ones; the old client gives them up."""
    setting = Setting("x", int, ["user"], 1)
    first = connect(service.url)
    with client_of(service.url) as second:
        assert main_client.main() is second
        assert (first._engine.registry.settings, second._engine.registry.settings) == ([], [setting])
        later = Setting("later", int, ["user"], 1)
        second.reload()
        service.add_rule(2, "x", user="a")
        service.add_rule(3, "later", user="a")
        first.reload()
        assert setting.get(user="a") == 1
        second.reload()
        assert (setting.get(user="a"), later.get(user="a")) == (2, 3)


def test_the_new_clients_defaults_hold(service: Api, connect: Connect) -> None:
    """A switch replaces the defaults of the old client by those of the new one."""
    setting = Setting("x", int, ["environment", "user"], 1)
    connect(service.url, environment="dev")
    assert setting.get(user="a") == 1
    second = client_of(service.url)
    second.set_defaults(user="a")
    with second:
        assert setting.get(environment="dev") == 1
        with pytest.raises(RuntimeError, match="'environment'"):
            setting.get(user="a")


def test_pending_declarations_forbid_a_switch(scripted: ScriptedService, connect: Connect) -> None:
    """While the old client has settings to declare, a switch is a RuntimeError that names them; the old one stays."""
    first = connect(scripted.url)
    scripted.script[DECLARE] = Scripted(status=500)
    setting = Setting("pending_one", int, ["user"], 1)
    second = client_of(scripted.url)
    with pytest.raises(RuntimeError, match="pending_one"):
        second.set_as_main()
    assert main_client.main() is first
    assert first.is_live
    assert not second.is_live
    scripted.script[DECLARE] = Scripted({"outcome": "created"})
    first.reload()
    with second:
        assert second._engine.registry.settings == [setting]


@pytest.mark.parametrize("features", [["environment", "user"], ["user", "environment", "theme"]])
def test_other_context_features_forbid_a_switch(service: Api, connect: Connect, features: list[str]) -> None:
    """A new client with other context_features, or in another order, is a RuntimeError; the old one stays."""
    setting = Setting("x", int, ["user"], 1)
    first = connect(service.url)
    with pytest.raises(RuntimeError, match="context_features"):
        client_of(service.url, features=features).set_as_main()
    assert main_client.main() is first
    service.add_rule(2, "x", user="a")
    first.reload()
    assert setting.get(user="a") == 2


def test_a_closed_client_forbids_nothing(scripted: ScriptedService, service: Api) -> None:
    """After the old client was closed, any client may become main and gets its settings, pending ones too."""
    scripted.script[DECLARE] = Scripted(status=500)
    setting = Setting("x", int, ["user"], 1)
    with client_of(scripted.url):
        pass
    with client_of(service.url, features=["user"]):
        assert setting.explain(user="a").loaded
    assert service.setting("x")["name"] == "x"


def test_settings_between_two_clients(service: Api) -> None:
    """A setting that is created after the main client was closed waits for the next one."""
    with client_of(service.url):
        pass
    setting = Setting("x", int, ["user"], 1)
    assert setting.get() == 1
    with client_of(service.url):
        assert setting.explain(user="a").loaded


def test_closing_keeps_the_last_values(service: Api) -> None:
    """After close, settings keep the values that they had."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    with client_of(service.url):
        pass
    assert (setting.get(user="a"), setting.get(user="b")) == (2, 1)


@pytest.mark.anyio
async def test_switching_between_async_clients(service: Api) -> None:
    """An async client takes over from another one, which may be closed later."""
    setting = Setting("x", int, ["user"], 1)
    first = async_client(service.url)
    await first.set_as_main()
    async with async_client(service.url) as second:
        await first.aclose()
        service.add_rule(2, "x", user="a")
        await second.reload()
        assert setting.get(user="a") == 2
        assert main_client.main() is second


@pytest.mark.anyio
async def test_a_failed_takeover(service: Api) -> None:
    """If the new client cannot load, its settings keep their values and wait for the next client."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    async with async_client(service.url):
        with pytest.raises(httpx.HTTPError):
            await async_client("http://127.0.0.1:9").set_as_main()
        assert setting.get(user="a") == 2
        async with async_client(service.url) as third:
            assert third._engine.registry.settings == [setting]


def test_a_stub_takes_over_and_gives_back(service: Api, connect: Connect) -> None:
    """A stub that takes over starts from local defaults; a client that follows loads everything again."""
    service.declare("x", configurable_features=["user"], default_value=1)
    service.add_rule(2, "x", user="a")
    setting = Setting("x", int, ["user"], 1)
    connect(service.url)
    assert setting.get(user="a") == 2
    with SyncStubHeksherClient() as stub:
        assert setting.get(user="a") == 1
        stub[setting].rules = [Rule({"user": "a"}, 9)]
        assert setting.get(user="a") == 9
    with client_of(service.url):
        assert setting.get(user="a") == 2


def test_the_first_declarations_are_not_lost(scripted: ScriptedService) -> None:
    """A setting that is created while set_as_main still works is declared right after it."""
    created: list[Setting[int]] = []

    def declare(_: Any) -> Scripted:
        if not created:
            created.append(Setting("in_between", int, ["user"], 1))
        return Scripted({"outcome": "created"})

    scripted.script[DECLARE] = declare
    scripted.serve("in_between", 5)
    first = Setting("x", int, ["user"], 1)
    with client_of(scripted.url):
        until(lambda: created[0].get(user="a") == 5)
    assert first.get(user="a") == 1


@pytest.mark.parametrize("kind", [AsyncHeksherClient, ThreadHeksherClient])
def test_clients_say_which_service_they_are_of(kind: Any) -> None:
    """The representation of a client has the service's URL without a password."""
    assert repr(kind("http://me:secret@host:1/path", 1, FEATURES)) == f"<{kind.__name__} of http://host:1/path>"
