"""Names and arguments of programs that were written for the package fakts."""

import gc
import operator
import runpy
import ssl
from contextlib import AsyncExitStack, aclosing
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from heksherlite.errors import FaktsError, GroupNotFound, NoFaktsFound
from heksherlite.grants import (
    Endpoint,
    EnvGrant,
    FailsafeGrant,
    Fakts,
    HardGrant,
    LoadRequest,
    Manifest,
    RemoteGrant,
    RetrieveGrant,
    Secret,
    StaticDiscovery,
    StaticGrant,
    WellKnownDiscovery,
    YamlGrant,
    advertise,
    alisten,
    get_current_fakts,
)
from tests.grants.endpoint import CONFIG, ScriptedEndpoint
from tests.grants.loads import Counting, loaded


@pytest.mark.anyio
async def test_get_is_awaited(tmp_path: Path) -> None:
    """The third example that fakts publishes works, the first time and later, and so does get without await."""
    path = tmp_path / "config.yaml"
    path.write_text("group_name: {key: 1}\n")
    async with Fakts(grant=FailsafeGrant(grants=[EnvGrant(prepend="NOT_SET_"), YamlGrant(str(path))])) as fakts:
        assert await fakts.get("group_name") == {"key": 1}
        assert await fakts.get("group_name") == {"key": 1}
        assert fakts.get("group_name") == {"key": 1}
        assert fakts.get("group_name.key") == 1
        with pytest.raises(GroupNotFound):
            await fakts.get("other")


@pytest.mark.anyio
async def test_what_is_not_awaited() -> None:
    """Facts that are not loaded and not awaited are an error at the first use, and outside of a block at once."""
    async with Fakts(HardGrant({"a": {"b": 1}})) as fakts:
        pending = fakts.get("a")
        for use in (operator.itemgetter("b"), bool, lambda facts: dict(**facts), "{}".format):
            with pytest.raises(FaktsError, match=r"use 'await aget\(\.\.\.\)'"):
                use(pending)
        pending = None
        gc.collect()  # nothing warns of a coroutine that was never awaited
    with pytest.raises(FaktsError, match=r"use 'await aget\(\.\.\.\)'"):
        Fakts(HardGrant({})).get("a")


def test_enter_and_exit() -> None:
    """Without a block, the loader is current in later cells and event handlers, until it is left."""
    fakts = Fakts(HardGrant({"a": 1})).enter()
    try:
        assert get_current_fakts() is fakts
        assert Context().run(get_current_fakts) is fakts
    finally:
        fakts.exit()
    with pytest.raises(NoFaktsFound):
        get_current_fakts()


@pytest.mark.anyio
async def test_aenter_and_aexit() -> None:
    """The same works in asynchronous code."""
    fakts = await Fakts(HardGrant({"a": 1}), load_on_enter=True).aenter()
    assert Context().run(get_current_fakts) is fakts
    assert fakts.loaded_fakts == {"a": 1}
    await fakts.aexit()
    with pytest.raises(NoFaktsFound):
        get_current_fakts()


def test_subclass_with_a_grant() -> None:
    """A subclass can have a grant, of any kind; without one, the error says what to do."""

    class OwnFakts(Fakts[Any]):
        grant = HardGrant({"a": 1})

    async def load(_: LoadRequest) -> dict[str, Any]:
        return {"a": 2}

    class FunctionFakts(Fakts[Any]):
        grant = load

    assert OwnFakts().get("a") == 1
    assert FunctionFakts().get("a") == 2
    assert OwnFakts(HardGrant({"a": 3})).get("a") == 3
    with pytest.raises(TypeError, match="set the attribute 'grant' of a subclass"):
        Fakts()


def test_filepath(tmp_path: Path) -> None:
    """YamlGrant(filepath=...) is YamlGrant(path), and one of them is needed."""
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    assert loaded(YamlGrant(filepath=str(path))) == loaded(YamlGrant(path)) == {"a": 1}
    with pytest.raises(TypeError, match="needs the path of the file, once"):
        YamlGrant()
    with pytest.raises(TypeError, match="needs the path of the file, once"):
        YamlGrant(path, filepath=path)


def test_loaded_fakts() -> None:
    """Loaded facts are a copy, and empty before."""
    fakts = Fakts(HardGrant({"a": {"b": 1}}))
    assert fakts.loaded_fakts == {}
    fakts.load()
    fakts.loaded_fakts["a"]["b"] = 2
    assert fakts.loaded_fakts == {"a": {"b": 1}}


def test_manifest_fields(endpoint: ScriptedEndpoint) -> None:
    """A manifest has a logo and further fields, which are sent; they do not replace its own."""
    manifest = Manifest(identifier="org.example.app", version="1", logo="https://x/y.png", further={"node": 5})
    discovery = StaticDiscovery(base_url=endpoint.base_url)
    assert loaded(RetrieveGrant(manifest=manifest, redirect_uri="", discovery=discovery)) == CONFIG
    sent = endpoint.of("retrieve")[0].body["manifest"]
    assert (sent["logo"], sent["node"]) == ("https://x/y.png", 5)
    with pytest.raises(ValueError, match="version is a field of the manifest itself"):
        Manifest(identifier="a", version="1", further={"version": "2"})


def test_ssl_context(secure: ScriptedEndpoint, authority: trustme.CA) -> None:
    """A TLS context verifies the certificate of the endpoint; two ways at once are an error."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    discovery = WellKnownDiscovery(url=secure.url, ssl_context=context)
    assert loaded(StaticGrant(token="static-token", discovery=discovery, ssl_context=context)) == CONFIG  # noqa: S106
    with pytest.raises(TypeError, match="either ssl_context or http_client_args"):
        WellKnownDiscovery(url=secure.url, ssl_context=context, http_client_args={"verify": False})


@pytest.mark.anyio
async def test_advertise_and_listen() -> None:
    """A program can announce an endpoint and listen for beacons."""
    heard: list[str] = []
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
            beacons = await stack.enter_async_context(aclosing(alisten(address="127.0.0.1", port=0x7A11)))
            tasks.start_soon(partial(advertise, "http://a:1", ["127.0.0.1"], port=0x7A11, interval=0.01))
            async for url in beacons:
                heard.append(url)
                break
            tasks.cancel_scope.cancel()
    assert heard == ["http://a:1"]


class OwnDemand:
    """Demands a token in a way of its own."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.demands: list[LoadRequest] = []

    async def ademand(self, endpoint: Endpoint, request: LoadRequest) -> str:
        assert endpoint.name == "static"
        self.demands.append(request)
        return f"{self.token}\n"


class OwnClaim:
    async def aclaim(self, endpoint: Endpoint, token: Secret) -> dict[str, Any]:
        return {"endpoint": endpoint.name, "token": token.reveal()}


def test_own_steps(endpoint: ScriptedEndpoint) -> None:
    """Discovery, demand and claim can be the program's own; a token that still works is not demanded again."""
    demand = OwnDemand("static-token")
    discovery = StaticDiscovery(base_url=endpoint.base_url)
    fakts = Fakts(RemoteGrant(identifier="a", discovery=discovery, demand=demand, token_store=None))
    assert fakts.get() == CONFIG
    fakts.refresh()
    assert len(demand.demands) == 1
    own = RemoteGrant(identifier="a", discovery=discovery, demand=demand, claim=OwnClaim(), token_store=None)
    assert Fakts(own).get() == {"endpoint": "static", "token": "static-token"}


def test_kubernetes_example(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The example exchanges the token of a service account at an issuer that knows it."""
    make_fakts = runpy.run_path("examples/kubernetes_token.py")["make_fakts"]
    path = tmp_path / "token"
    path.write_text("one-time-token\n")
    assert make_fakts(endpoint.url, path).get() == CONFIG
    assert endpoint.of("redeem")[0].body["token"] == "one-time-token"  # noqa: S105
    path.write_text("forged")
    with pytest.raises(FaktsError, match="is spent"):
        make_fakts(endpoint.url, path).get()


def test_counting_loads_of_awaited_groups() -> None:
    """Awaiting twice loads once."""
    counting = Counting(a={"b": 1})

    async def main() -> None:
        async with Fakts(counting) as fakts:
            assert await fakts.get("a") == await fakts.get("a") == {"b": 1}

    anyio.run(main)
    assert len(counting.requests) == 1
