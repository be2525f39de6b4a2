from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.grants.endpoint import ScriptedEndpoint, scripted_endpoint
from tests.sdk.conftest import log

__all__ = ["log"]

settings.register_profile("patient", deadline=None)  # machines stall
settings.load_profile("patient")


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """Return an endpoint that does what the specification says, until it is told otherwise."""
    with scripted_endpoint() as running:
        yield running
