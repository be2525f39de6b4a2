from contextvars import ContextVar
from typing import Any

import pytest

from heksherlite import AsyncHeksherClient, Setting, ThreadHeksherClient, main_client
from tests.sdk.conftest import Connect, Log
from tests.service.api import FEATURES, Api

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("written", "right"), [("enviroment", "environment"), ("usr", "user"), ("User", "user"), ("themes", "theme")]
)
def test_misspelled_features_are_refused(written: str, right: str) -> None:
    """Tracking or defaulting a misspelled feature raises a ValueError with the right name, and changes nothing."""
    client = ThreadHeksherClient(NOWHERE, 1, FEATURES)
    message = rf"'{written}' is not a context feature of the client; did you mean '{right}'\?"
    for write in (client.track_contexts, client.set_defaults):
        with pytest.raises(ValueError, match=message):
            write(**{right: "a", written: "a"})
    client.track_contexts(**{right: "a"})
    client.set_defaults(**{right: ContextVar("variable")})


@pytest.mark.parametrize("client_class", [ThreadHeksherClient, AsyncHeksherClient])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("environment;user", r"write \['environment', 'user'\]"),
        ("environment, user", r"write \['environment', 'user'\]"),
        ("environment", r"write \['environment'\]"),
        (["user", "user"], "'user' several times"),
        (["us er"], "'us er' is not a valid name"),
        ([""], "'' is not a valid name"),
    ],
)
def test_invalid_context_features_are_refused(client_class: Any, features: Any, message: str) -> None:
    """Context features of a client that no service can have raise a ValueError, with the right list for a string."""
    with pytest.raises(ValueError, match=message):
        client_class(NOWHERE, 1, features)


@pytest.mark.parametrize("features", [5, None, ["user", 5]])
def test_context_features_must_be_strings(features: Any) -> None:
    """Anything but an iterable of strings raises a TypeError."""
    with pytest.raises(TypeError, match="context_features must be a list of names"):
        ThreadHeksherClient(NOWHERE, 1, features)


def test_a_string_of_context_features_is_recognised_by_its_use() -> None:
    """A string without repeated letters is taken as features of one letter, until its whole is used as a feature."""
    client = ThreadHeksherClient(NOWHERE, 1, "user")
    with pytest.raises(ValueError, match=r"write context_features=\['user'\]"):
        client.set_defaults(user="a")


def test_a_string_of_configurable_features_is_refused_by_the_client(service: Api, connect: Connect) -> None:
    """A setting with the string of one feature raises a ValueError where it is created, and the client goes on."""
    connect(service.url)
    for features in ("user", "zyx"):
        with pytest.raises(ValueError, match=rf"'x'.*write configurable_features=\['{features}'\]"):
            Setting("x", int, features, 1)
    setting = Setting("y", int, ["user"], 1)
    assert setting.get(user="a") == 1


def test_a_waiting_setting_with_a_string_of_features_is_refused(service: Api) -> None:
    """A client refuses to start with such a setting, and another client can start later without it."""
    good, bad = Setting("good", int, ["user"], 1), Setting("bad", int, "user", 1)
    client = ThreadHeksherClient(service.url, 1000, FEATURES, push=False)
    with pytest.raises(ValueError, match=r"'bad'.*write configurable_features=\['user'\]"):
        client.set_as_main()
    assert main_client.main() is None
    del bad
    with client:
        assert client.status.undeclared == 0
        assert good.get(user="a") == 1


def test_features_of_one_letter_may_be_a_string(log: Log) -> None:
    """A string of features that the client has one by one is accepted, as in the original."""
    client = ThreadHeksherClient(NOWHERE, 1, "abc", startup="best-effort", push=False)
    client.track_contexts(a="x")
    setting = Setting("x", int, "cab", 1)
    with client:
        assert setting.configurable_features == ("c", "a", "b")
        assert setting.get(a="x", b="y", c="z") == 1
    assert log.of("context features are not specified in server") == []
