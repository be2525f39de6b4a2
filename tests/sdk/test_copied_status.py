"""The status of a client is a value: it can be copied and pickled, also when something failed."""

import copy
import dataclasses
import pickle
from datetime import timedelta
from typing import Any

import httpx
import pytest

from heksherlite import ThreadHeksherClient
from heksherlite.engine.messages import Request
from heksherlite.service import embedded


def test_a_status_with_a_failure_is_copied() -> None:
    """The response of the service, which httpx makes impossible to copy, is part of it."""
    with embedded(context_features=["user"]) as service, ThreadHeksherClient(service.url, 60, ["user"]) as client:
        with pytest.raises(httpx.HTTPStatusError) as raised:
            client._send(Request("GET", "/api/v1/nothing"))
        status = dataclasses.replace(client.status, last_error=raised.value)
    for again in (copy.deepcopy(status), pickle.loads(pickle.dumps(status))):  # noqa: S301 - our own
        assert repr(again) == repr(status)
        assert isinstance(again.last_error, httpx.HTTPStatusError)
        assert again.last_error.response.status_code == 404
    assert dataclasses.asdict(status)["state"] == "fresh"


@pytest.mark.parametrize("name", ["update_interval", "startup_timeout", "max_staleness"])
@pytest.mark.parametrize("seconds", [timedelta(minutes=1), "60", True])
def test_seconds_are_numbers(name: str, seconds: Any) -> None:
    """Anything else is refused, with the name of the argument."""
    arguments: dict[str, Any] = {"update_interval": 60, name: seconds}
    with pytest.raises(TypeError, match=f"{name} is in seconds and must be a number such as 60, not "):
        ThreadHeksherClient("http://localhost", context_features=["user"], **arguments)


@pytest.mark.parametrize("name", ["update_interval", "startup_timeout"])
def test_only_staleness_may_be_none(name: str) -> None:
    """None is no number either."""
    arguments: dict[str, Any] = {"update_interval": 60, name: None}
    with pytest.raises(TypeError, match=f"{name} is in seconds and must be a number such as 60, not None"):
        ThreadHeksherClient("http://localhost", context_features=["user"], **arguments)
