from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
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


@pytest.fixture
def authority() -> trustme.CA:
    """Return a certificate authority."""
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path) -> Iterator[ScriptedEndpoint]:
    """Return an endpoint with HTTPS."""
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    with scripted_endpoint(ssl_keyfile=tmp_path / "key", ssl_certfile=tmp_path / "certificate") as endpoint:
        yield endpoint
