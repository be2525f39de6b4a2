"""The HTTP service that stores settings and rules; install it with ``heksherlite[service]``.

The public names are imported when they are first used, because a command's help needs few of the service's modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heksherlite.service.domain.identity_providers import IdentityProvider
    from heksherlite.service.domain.limits import Limits
    from heksherlite.service.domain.tokens import Access, Scope
    from heksherlite.service.embedding import EmbeddedService, embedded
    from heksherlite.service.options import AccessOptions

__all__ = ["Access", "AccessOptions", "EmbeddedService", "IdentityProvider", "Limits", "Scope", "embedded"]

_LAZY = {
    "Access": "domain.tokens",
    "AccessOptions": "options",
    "EmbeddedService": "embedding",
    "IdentityProvider": "domain.identity_providers",
    "Limits": "domain.limits",
    "Scope": "domain.tokens",
    "embedded": "embedding",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("heksherlite"):
            raise
        reason = f"heksherlite.service needs {error.name}: pip install 'heksherlite[service]'"
        raise ModuleNotFoundError(reason, name=error.name) from error
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
