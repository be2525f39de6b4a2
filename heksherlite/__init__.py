"""Typed settings whose values depend on context and change while a program runs."""

from typing import TYPE_CHECKING, Any

from heksherlite._version import __version__
from heksherlite.contexts import TRACK_ALL
from heksherlite.errors import (
    ContextValueError,
    HeksherError,
    MissingContextError,
    NoMatchError,
    ServiceResponseError,
    TypeStringError,
)
from heksherlite.in_force import pinned
from heksherlite.setting import Setting
from heksherlite.values.conversions import Conversion, SettingType
from heksherlite.values.setting_types import setting_type

if TYPE_CHECKING:
    from heksherlite.clients.async_client import AsyncHeksherClient
    from heksherlite.clients.stub import AsyncStubHeksherClient, Rule, SyncStubHeksherClient
    from heksherlite.clients.thread_client import ThreadHeksherClient
    from heksherlite.engine.health import ClientStatus, Problem
    from heksherlite.engine.protocol import SettingData
    from heksherlite.values.annotations import Unit
    from heksherlite.values.container_types import HeksherMapping, HeksherSequence
    from heksherlite.values.enum_types import HeksherEnum, HeksherFlags
    from heksherlite.values.model_types import HeksherModel

__all__ = [
    "TRACK_ALL",
    "AsyncHeksherClient",
    "AsyncStubHeksherClient",
    "ClientStatus",
    "ContextValueError",
    "Conversion",
    "HeksherEnum",
    "HeksherError",
    "HeksherFlags",
    "HeksherMapping",
    "HeksherModel",
    "HeksherSequence",
    "MissingContextError",
    "NoMatchError",
    "Problem",
    "Rule",
    "ServiceResponseError",
    "Setting",
    "SettingData",
    "SettingType",
    "SyncStubHeksherClient",
    "ThreadHeksherClient",
    "TypeStringError",
    "Unit",
    "__version__",
    "pinned",
    "setting_type",
]

_LAZY = {
    "AsyncHeksherClient": "heksherlite.clients.async_client",
    "AsyncStubHeksherClient": "heksherlite.clients.stub",
    "ClientStatus": "heksherlite.engine.health",
    "HeksherEnum": "heksherlite.values.enum_types",
    "HeksherFlags": "heksherlite.values.enum_types",
    "HeksherMapping": "heksherlite.values.container_types",
    "HeksherModel": "heksherlite.values.model_types",
    "HeksherSequence": "heksherlite.values.container_types",
    "Problem": "heksherlite.engine.health",
    "Rule": "heksherlite.clients.stub",
    "SettingData": "heksherlite.engine.protocol",
    "SyncStubHeksherClient": "heksherlite.clients.stub",
    "ThreadHeksherClient": "heksherlite.clients.thread_client",
    "Unit": "heksherlite.values.annotations",
}
"""What is imported when it is first used, so that reading settings does not cost the import of an HTTP library."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
