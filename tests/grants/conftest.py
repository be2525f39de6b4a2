from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.grants.endpoint import ScriptedEndpoint, scripted_endpoint
from tests.sdk.conftest import log

__all__ = ["log"]

settings.register_profile("patient", deadline=None)  # machines stall
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared_endpoint() -> Iterator[ScriptedEndpoint]:
    """Return the endpoint that all tests share."""
    with scripted_endpoint() as running:
        yield running


@pytest.fixture
def endpoint(shared_endpoint: ScriptedEndpoint) -> ScriptedEndpoint:
    """Return an endpoint that follows the specification unless a test scripts its responses."""
    shared_endpoint.reset()
    return shared_endpoint
