"""Remote grants as programs make them, for an endpoint of the tests."""

from collections.abc import Callable
from typing import Any

from heksherlite.grants import (
    DeviceCodeGrant,
    DeviceLogin,
    Discovery,
    Manifest,
    RedeemGrant,
    RetrieveGrant,
    StaticDiscovery,
    StaticGrant,
    WellKnownDiscovery,
)
from tests.grants.endpoint import ScriptedEndpoint

MANIFEST = Manifest(identifier="org.example.app", version="1.0", scopes=("read", "write"), image="http://host/i.png")
HIDDEN = ("static-token", "granted-token", "one-time-token", "hunter2")
"""Secrets of the endpoint of the tests."""


def known(endpoint: ScriptedEndpoint) -> StaticDiscovery:
    """Return the discovery of a program that knows the base URL."""
    return StaticDiscovery(base_url=endpoint.base_url)


def described(endpoint: ScriptedEndpoint) -> WellKnownDiscovery:
    """Return the discovery of a program that asks the endpoint for the base URL."""
    return WellKnownDiscovery(url=endpoint.url)


Discover = Callable[[ScriptedEndpoint], Discovery]


def static(
    endpoint: ScriptedEndpoint,
    token: str = "static-token",  # noqa: S107
    *,
    discover: Discover = known,
    **options: Any,
) -> StaticGrant:
    return StaticGrant(token=token, discovery=discover(endpoint), **options)


def retrieve(
    endpoint: ScriptedEndpoint, manifest: Manifest = MANIFEST, *, discover: Discover = known, **options: Any
) -> RetrieveGrant:
    discovery = discover(endpoint)
    return RetrieveGrant(manifest=manifest, redirect_uri="http://host/back", discovery=discovery, **options)


def redeem(
    endpoint: ScriptedEndpoint,
    token: str = "one-time-token",  # noqa: S107
    *,
    discover: Discover = known,
    **options: Any,
) -> RedeemGrant:
    return RedeemGrant(manifest=MANIFEST, token=token, discovery=discover(endpoint), **options)


def device_code(endpoint: ScriptedEndpoint, *, discover: Discover = known, **options: Any) -> DeviceCodeGrant:
    """Return a grant that asks a person, quickly. Without ``tell``, a person approves at once."""

    def approve(login: DeviceLogin) -> None:
        endpoint.codes[login.code] = "granted"

    settings = {"open_browser": False, "poll_interval": 0.01, "tell": approve, **options}
    return DeviceCodeGrant(manifest=MANIFEST, discovery=discover(endpoint), **settings)
