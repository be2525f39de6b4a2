"""Where an application's start-up configuration comes from: a loader, and grants that fetch and compose.

Everything is imported when it is first used, because some of it needs an HTTP library.
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

if TYPE_CHECKING:
    from heksherlite.grants.cache import CacheGrant
    from heksherlite.grants.files import JsonGrant, TomlGrant, YamlGrant
    from heksherlite.grants.grant import Grant, LoadRequest
    from heksherlite.grants.loader import Fakts, get_current_fakts
    from heksherlite.grants.local import EnvGrant, HardGrant
    from heksherlite.grants.meta import FailsafeGrant, ParallelGrant

__all__ = [
    "CacheGrant",
    "ClaimError",
    "DemandError",
    "DiscoveryError",
    "EnvGrant",
    "FactsShapeError",
    "FailsafeGrant",
    "Fakts",
    "FaktsError",
    "Grant",
    "GrantError",
    "GroupNotFound",
    "HardGrant",
    "JsonGrant",
    "LoadRequest",
    "NoFaktsFound",
    "ParallelGrant",
    "RemoteGrantError",
    "TomlGrant",
    "YamlGrant",
    "get_current_fakts",
]

_LAZY = {
    "CacheGrant": "cache",
    "EnvGrant": "local",
    "FailsafeGrant": "meta",
    "Fakts": "loader",
    "Grant": "grant",
    "HardGrant": "local",
    "JsonGrant": "files",
    "LoadRequest": "grant",
    "ParallelGrant": "meta",
    "TomlGrant": "files",
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
