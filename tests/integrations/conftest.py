from tests.grants.conftest import endpoint, shared_endpoint
from tests.sdk.conftest import log, stub

__all__ = ["endpoint", "log", "shared_endpoint", "stub"]
