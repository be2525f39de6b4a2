from collections.abc import Iterator

import pytest

from heksherlite import Setting
from heksherlite.service import embedded
from tests.faults.program import KINDS, Log, Program, program_of
from tests.faults.proxy import FaultProxy
from tests.service.api import FEATURES, Api

NAME = "settings.invalid"
"""A host name by which the service may be addressed besides its IP address. The system does not resolve it."""


class Stored:
    """The setting ``x`` at the service: the default is 10, and for user ``a`` there is a rule with 1.

    Attributes:
        api: The operator's way to the service.
        rule_id: The rule.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        features = ["environment", "user"]
        api.declare("x", configurable_features=features, default_value=0)
        api.declare("x", configurable_features=features, default_value=10, version="1.1")
        self.rule_id = api.add_rule(1, "x", user="a")

    def change(self, value: int) -> None:
        """Change the value of the rule."""
        response = self.api.call("PUT", f"rules/{self.rule_id}/value", {"value": value})
        assert response.status_code == 204, response.text


@pytest.fixture(scope="session")
def shared_stored() -> Iterator[Stored]:
    """Return the setting at a service that all tests share. The value of its rule is the one of the previous test."""
    with embedded(context_features=FEATURES, public_url=f"http://{NAME}") as service:
        api = Api(service.url)
        with api.http:
            yield Stored(api)


@pytest.fixture
def stored(shared_stored: Stored) -> Stored:
    """Return the setting at a real service that has no other settings."""
    shared_stored.change(1)
    return shared_stored


@pytest.fixture
def proxy(stored: Stored) -> Iterator[FaultProxy]:
    """Return a proxy in front of the service that passes everything on."""
    with FaultProxy(stored.api.url) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def program(request: pytest.FixtureRequest, proxy: FaultProxy) -> Iterator[Program]:
    """Return a program with the asynchronous client on asyncio, then on trio, and one with the thread client."""
    with program_of(request.param) as program:
        yield program
    del proxy  # is closed after the program


@pytest.fixture
def setting() -> Setting[int]:
    """Return the program's setting ``x``. Its default is 0, and the service has another one."""
    return Setting("x", int, ["environment", "user"], 0)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """Return the log: the records of the package from INFO up, and those of others from WARNING up."""
    caplog.set_level("INFO", "heksherlite")
    return Log(caplog)
