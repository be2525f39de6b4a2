"""The start-up configuration of applications: a loader, and grants that load facts and can be combined.

The public names are imported on first use, because some of them require an HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from heksherlite.errors import (
    ClaimError,
    DemandError,
    DiscoveryError,
    FactsShapeError,
    FaktsError,
    GrantError,
    GroupNotFound,
    NoFaktsFound,
    RemoteGrantError,
)
from heksherlite.secret import Secret, SecretText

if TYPE_CHECKING:
    from heksherlite.grants.cache import CacheGrant
    from heksherlite.grants.files import JsonGrant, TomlGrant, YamlGrant
    from heksherlite.grants.grant import Grant, LoadRequest
    from heksherlite.grants.layers import FactsExplanation, Layer, LayeredFacts, SourcedValue
    from heksherlite.grants.loader import Fakts, get_current_fakts
    from heksherlite.grants.local import EnvGrant, HardGrant
    from heksherlite.grants.meta import FailsafeGrant, ParallelGrant
    from heksherlite.grants.remote.advertised import AdvertisedDiscovery
    from heksherlite.grants.remote.device_code import DeviceCodeGrant, DeviceLogin
    from heksherlite.grants.remote.discovery import Discovery, StaticDiscovery, WellKnownDiscovery
    from heksherlite.grants.remote.grants import RedeemGrant, RetrieveGrant, StaticGrant
    from heksherlite.grants.remote.messages import Endpoint, Manifest
    from heksherlite.grants.remote.token_stores import FileTokenStore, KeyringTokenStore, TokenStore
    from heksherlite.grants.status import FaktsStatus
    from heksherlite.grants.watches import Watch

__all__ = [
    "AdvertisedDiscovery",
    "CacheGrant",
    "ClaimError",
    "DemandError",
    "DeviceCodeGrant",
    "DeviceLogin",
    "Discovery",
    "DiscoveryError",
    "Endpoint",
    "EnvGrant",
    "FactsExplanation",
    "FactsShapeError",
    "FailsafeGrant",
    "Fakts",
    "FaktsError",
    "FaktsStatus",
    "FileTokenStore",
    "Grant",
    "GrantError",
    "GroupNotFound",
    "HardGrant",
    "JsonGrant",
    "KeyringTokenStore",
    "Layer",
    "LayeredFacts",
    "LoadRequest",
    "Manifest",
    "NoFaktsFound",
    "ParallelGrant",
    "RedeemGrant",
    "RemoteGrantError",
    "RetrieveGrant",
    "Secret",
    "SecretText",
    "SourcedValue",
    "StaticDiscovery",
    "StaticGrant",
    "TokenStore",
    "TomlGrant",
    "Watch",
    "WellKnownDiscovery",
    "YamlGrant",
    "get_current_fakts",
]

_LAZY = {
    "AdvertisedDiscovery": "remote.advertised",
    "CacheGrant": "cache",
    "DeviceCodeGrant": "remote.device_code",
    "DeviceLogin": "remote.device_code",
    "Discovery": "remote.discovery",
    "Endpoint": "remote.messages",
    "EnvGrant": "local",
    "FactsExplanation": "layers",
    "FailsafeGrant": "meta",
    "FileTokenStore": "remote.token_stores",
    "Fakts": "loader",
    "FaktsStatus": "status",
    "Grant": "grant",
    "HardGrant": "local",
    "JsonGrant": "files",
    "KeyringTokenStore": "remote.token_stores",
    "Layer": "layers",
    "LayeredFacts": "layers",
    "LoadRequest": "grant",
    "Manifest": "remote.messages",
    "ParallelGrant": "meta",
    "RedeemGrant": "remote.grants",
    "RetrieveGrant": "remote.grants",
    "SourcedValue": "layers",
    "StaticDiscovery": "remote.discovery",
    "StaticGrant": "remote.grants",
    "TokenStore": "remote.token_stores",
    "TomlGrant": "files",
    "Watch": "watches",
    "WellKnownDiscovery": "remote.discovery",
    "YamlGrant": "files",
    "get_current_fakts": "loader",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
