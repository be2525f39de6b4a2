import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from heksherlite import TRACK_ALL, AsyncHeksherClient, SyncStubHeksherClient, ThreadHeksherClient
from heksherlite.service import embedded
from tests.sdk.scripted_service import ScriptedService, scripted_service
from tests.service.api import FEATURES, Api

Connect = Callable[..., ThreadHeksherClient]

ALL = dict.fromkeys(FEATURES, TRACK_ALL)


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Api]:
    """Return the operator of a service that all tests share, in the state in which the previous test left it."""
    with embedded(context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def service(shared_service: Api) -> Api:
    """Return an operator of a real service without settings, with three context features."""
    shared_service.reset()
    return shared_service


@pytest.fixture
def scripted() -> Iterator[ScriptedService]:
    """Return a service that sends scripted responses."""
    with scripted_service() as service:
        yield service


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that makes a thread client the main one; all are closed after the test."""
    with ExitStack() as stack:

        def start(
            url: str, interval: float = 1000, *, tracked: Any = None, features: Any = FEATURES, **defaults: Any
        ) -> ThreadHeksherClient:
            client = ThreadHeksherClient(url, interval, features, startup_timeout=60, push=False)
            client.track_contexts(**(ALL if tracked is None else tracked))
            client.set_defaults(**defaults)
            return stack.enter_context(client)

        yield start


@pytest.fixture
def stub() -> Iterator[SyncStubHeksherClient]:
    """Return a stub that is the main client."""
    with SyncStubHeksherClient() as client:
        yield client


def async_client(url: str, interval: float = 1000, **options: Any) -> AsyncHeksherClient:
    """Return a client that tracks everything, and is not started."""
    client = AsyncHeksherClient(url, interval, FEATURES, push=False, **options)
    client.track_contexts(**ALL)
    return client


class Log:
    """What the package logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog

    def of(self, message: str) -> list[logging.LogRecord]:
        """Return the records whose message is this one, or begins with it and a colon."""
        records = [(record, record.getMessage()) for record in self.caplog.records]
        return [record for record, text in records if text == message or text.startswith(f"{message}: ")]

    def one(self, message: str) -> dict[str, Any]:
        """Return the level and the details of the only record with a message, whose text names what it is about."""
        (record,) = self.of(message)
        details = vars(record)
        about = [details.get("setting"), details.get("context_feature"), *details.get("context_features", ())]
        assert [name for name in about if isinstance(name, str) and repr(name)[1:-1] not in record.getMessage()] == []
        return details


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """Return what the package logs, from INFO up."""
    caplog.set_level(logging.INFO, "heksherlite")
    return Log(caplog)
