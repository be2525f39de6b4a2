"""A provider for OpenFeature; see ``docs/guides/openfeature.md``."""

try:
    import openfeature.provider as _sdk
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "openfeature":
        raise
    raise ModuleNotFoundError(
        "heksherlite.integrations.openfeature needs the OpenFeature SDK: pip install 'heksherlite[openfeature]'",
        name=error.name,
    ) from error

from heksherlite.integrations.openfeature.provider import HeksherProvider

__all__ = ["HeksherProvider"]

del _sdk
