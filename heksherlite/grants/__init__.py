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
    from heksherlite.grants.dotenv import DotenvGrant
    from heksherlite.grants.expiry import CredentialExpiry
    from heksherlite.grants.files import JsonGrant, TomlGrant, YamlGrant
    from heksherlite.grants.grant import Grant, LoadRequest
    from heksherlite.grants.layers import FactsExplanation, Layer, LayeredFacts, SourcedValue
    from heksherlite.grants.lazy import LazyGrant
    from heksherlite.grants.loader import Fakts, get_current_fakts
    from heksherlite.grants.local import EnvGrant, HardGrant
    from heksherlite.grants.meta import FailsafeGrant, ParallelGrant
    from heksherlite.grants.patience import RetryGrant, TimeoutGrant
    from heksherlite.grants.references import ReferencesGrant
    from heksherlite.grants.remote.advertised import AdvertisedDiscovery
    from heksherlite.grants.remote.beacon import advertise, alisten
    from heksherlite.grants.remote.choosing import TerminalChooser
    from heksherlite.grants.remote.device_code import DeviceCodeGrant, DeviceLogin
    from heksherlite.grants.remote.discovery import Discovery, StaticDiscovery, WellKnownDiscovery
    from heksherlite.grants.remote.grants import RedeemGrant, RetrieveGrant, StaticGrant
    from heksherlite.grants.remote.messages import Endpoint, Manifest
    from heksherlite.grants.remote.remote_grant import Claim, Demand, RemoteGrant
    from heksherlite.grants.remote.token_stores import FileTokenStore, KeyringTokenStore, TokenStore
    from heksherlite.grants.secrets_dir import SecretsDirGrant
    from heksherlite.grants.shaping import BelowGrant, PartGrant, RenameGrant
    from heksherlite.grants.status import FaktsStatus
    from heksherlite.grants.watches import Watch

__all__ = [
    "AdvertisedDiscovery",
    "BelowGrant",
    "CacheGrant",
    "Claim",
    "ClaimError",
    "CredentialExpiry",
    "Demand",
    "DemandError",
    "DeviceCodeGrant",
    "DeviceLogin",
    "Discovery",
    "DiscoveryError",
    "DotenvGrant",
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
    "LazyGrant",
    "LoadRequest",
    "Manifest",
    "NoFaktsFound",
    "ParallelGrant",
    "PartGrant",
    "RedeemGrant",
    "ReferencesGrant",
    "RemoteGrant",
    "RemoteGrantError",
    "RenameGrant",
    "RetrieveGrant",
    "RetryGrant",
    "Secret",
    "SecretText",
    "SecretsDirGrant",
    "SourcedValue",
    "StaticDiscovery",
    "StaticGrant",
    "TerminalChooser",
    "TimeoutGrant",
    "TokenStore",
    "TomlGrant",
    "Watch",
    "WellKnownDiscovery",
    "YamlGrant",
    "advertise",
    "alisten",
    "get_current_fakts",
]

_LAZY = {
    "AdvertisedDiscovery": "remote.advertised",
    "BelowGrant": "shaping",
    "CacheGrant": "cache",
    "Claim": "remote.remote_grant",
    "CredentialExpiry": "expiry",
    "Demand": "remote.remote_grant",
    "DeviceCodeGrant": "remote.device_code",
    "DeviceLogin": "remote.device_code",
    "Discovery": "remote.discovery",
    "DotenvGrant": "dotenv",
    "Endpoint": "remote.messages",
    "EnvGrant": "local",
    "FactsExplanation": "layers",
    "FailsafeGrant": "meta",
    "Fakts": "loader",
    "FaktsStatus": "status",
    "FileTokenStore": "remote.token_stores",
    "Grant": "grant",
    "HardGrant": "local",
    "JsonGrant": "files",
    "KeyringTokenStore": "remote.token_stores",
    "Layer": "layers",
    "LayeredFacts": "layers",
    "LazyGrant": "lazy",
    "LoadRequest": "grant",
    "Manifest": "remote.messages",
    "ParallelGrant": "meta",
    "PartGrant": "shaping",
    "RedeemGrant": "remote.grants",
    "ReferencesGrant": "references",
    "RemoteGrant": "remote.remote_grant",
    "RenameGrant": "shaping",
    "RetrieveGrant": "remote.grants",
    "RetryGrant": "patience",
    "SecretsDirGrant": "secrets_dir",
    "SourcedValue": "layers",
    "StaticDiscovery": "remote.discovery",
    "StaticGrant": "remote.grants",
    "TerminalChooser": "remote.choosing",
    "TimeoutGrant": "patience",
    "TokenStore": "remote.token_stores",
    "TomlGrant": "files",
    "Watch": "watches",
    "WellKnownDiscovery": "remote.discovery",
    "YamlGrant": "files",
    "advertise": "remote.beacon",
    "alisten": "remote.beacon",
    "get_current_fakts": "loader",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
