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
    """Return one endpoint for all tests, in whatever state the last one left it."""
    with scripted_endpoint() as running:
        yield running


@pytest.fixture
def endpoint(shared_endpoint: ScriptedEndpoint) -> ScriptedEndpoint:
    """Return an endpoint that does what the specification says, until it is told otherwise."""
    shared_endpoint.reset()
    return shared_endpoint
