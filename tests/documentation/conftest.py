from tests.grants.conftest import endpoint, shared_endpoint

__all__ = ["endpoint", "shared_endpoint"]
