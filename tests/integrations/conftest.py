from tests.grants.conftest import endpoint, shared_endpoint
from tests.sdk.conftest import log

__all__ = ["endpoint", "log", "shared_endpoint"]
