"""Programs that get their configuration from the service, and read their settings."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite import AsyncHeksherClient, Setting, ThreadHeksherClient
from heksherlite.errors import ClaimError, DemandError
from heksherlite.grants import (
    DeviceCodeGrant,
    Fakts,
    Manifest,
    RedeemGrant,
    RetrieveGrant,
    StaticGrant,
    WellKnownDiscovery,
)
from heksherlite.grants.remote.device_code import DeviceLogin
from heksherlite.integrations.oauth2 import OAuth2Auth
from heksherlite.service import embedded
from tests.service.api import FEATURES, Api
from tests.service.applications import READER, SHOP, approve, deny, invite, register, revoke
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

MANIFEST = Manifest(identifier=SHOP.identifier, version=SHOP.version, scopes=SHOP.scopes)
PRODUCTION = replace(READER, defaults={"environment": "prod"})


@dataclass
class Served:
    path: Path
    url: str
    person: ThreadPoolExecutor

    @property
    def discovery(self) -> WellKnownDiscovery:
        return WellKnownDiscovery(url=self.url)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    path = tmp_path / "a.db"
    token = make_token(path, "operator", *EVERY_SCOPE)
    with (
        embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service,
        ThreadPoolExecutor(1) as person,
    ):
        api = Api(service.url, token=token)
        with api.http:
            assert api.declare("page_size", default_value=20).status_code == 200
            api.add_rule(50, "page_size", environment="prod")
        yield Served(path, service.url, person)


def _static(served: Served) -> StaticGrant:
    body = {"manifest": MANIFEST.body(), "token": invite(served.path, PRODUCTION)}
    token = httpx.post(f"{served.url}/f/redeem/", json=body).json()["token"]
    return StaticGrant(token=token, discovery=served.discovery)


def _redeem(served: Served) -> RedeemGrant:
    return RedeemGrant(manifest=MANIFEST, token=invite(served.path, PRODUCTION), discovery=served.discovery)


def _retrieve(served: Served) -> RetrieveGrant:
    register(served.path, PRODUCTION)
    return RetrieveGrant(manifest=MANIFEST, redirect_uri="http://localhost:6767", discovery=served.discovery)


def _device_code(served: Served, decide: Callable[[Path, str], object] | None = None) -> DeviceCodeGrant:
    def tell(login: DeviceLogin) -> None:
        assert httpx.URL(login.page).params["device_code"] == login.code
        act = decide or (lambda path, code: approve(path, code, PRODUCTION))
        served.person.submit(act, served.path, login.code)

    return DeviceCodeGrant(
        manifest=MANIFEST, discovery=served.discovery, open_browser=False, tell=tell, poll_interval=0.6
    )


@pytest.mark.parametrize("make_grant", [_static, _redeem, _retrieve, _device_code])
def test_a_program_reads_its_settings(served: Served, make_grant: Callable[[Served], Any]) -> None:
    """With an address and a credential, a program configures its client and reads a value."""
    grant = make_grant(served)

    async def program() -> None:
        async with Fakts(grant=grant) as fakts:
            page_size = Setting("page_size", int, ["environment", "user"], default_value=20)
            async with await AsyncHeksherClient.from_fakts() as client:
                await client.ping()
                assert page_size.get(user="jane") == 50
            before = await fakts.aget("heksher.token")
            assert await fakts.aget("heksher.token", force_refresh=True) == before

    asyncio.run(program())


def test_synchronous_programs_do_too(served: Served) -> None:
    """The same in synchronous code, with OAuth2 instead of the token for settings."""
    with Fakts(grant=_redeem(served), hard_fakts={"heksher": {"token": None}}):
        page_size = Setting("page_size", int, ["environment", "user"], default_value=20)
        with ThreadHeksherClient.from_fakts(http_client_args={"auth": OAuth2Auth.from_fakts()}):
            assert page_size.get(user="jane") == 50


def test_a_person_denies(served: Served) -> None:
    """The program receives the denial at once, without waiting for its time-out."""
    with pytest.raises(DemandError, match="denied"):
        Fakts(_device_code(served, deny)).load()


def test_a_program_that_was_revoked_gets_nothing(served: Served) -> None:
    """A revoked token claims nothing, and the error does not contain the token."""
    grant = _static(served)
    fakts = Fakts(grant)
    fakts.load()
    revoke(served.path)
    with pytest.raises(ClaimError, match="was revoked") as refused:
        fakts.refresh()
    assert "hkc_" not in str(refused.value)
