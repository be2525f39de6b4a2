from tests.grants.conftest import endpoint
from tests.sdk.conftest import log

__all__ = ["endpoint", "log"]
