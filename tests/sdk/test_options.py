from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.service.domain.filters import ContextFilter, parse_context_filter
from heksherlite.service.errors import BadRequestError, InvalidError
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import QUERY, ScriptedService
from tests.service.api import FEATURES, Api

UNTRACKED = "context feature value is not tracked by client"


@pytest.fixture
def client() -> ThreadHeksherClient:
    """Return a client that is not started."""
    return ThreadHeksherClient("http://127.0.0.1:9", 1000, ["a", "b", "d"])


def test_filters_are_sorted(scripted: ScriptedService, connect: Connect) -> None:
    """The query's context_filters have features and values sorted, * for all values."""
    settings = [Setting(name, int, ["a"], 1) for name in ("z", "m")]
    connect(scripted.url, tracked={"d": TRACK_ALL, "b": "B", "a": ["a1", "a0"]}, features=["a", "b", "d"])
    (request,) = scripted.of(QUERY)
    assert request.params == {
        "settings": "m,z",
        "context_filters": "a:(a0,a1),b:(B),d:*",
        "include_metadata": "false",
    }
    del settings


def test_track_all_is_a_star() -> None:
    """TRACK_ALL is the string that the wire has for all values."""
    assert TRACK_ALL == "*"


def test_tracking_adds_up(client: ThreadHeksherClient) -> None:
    """Values of several calls add up, and repeating one, or TRACK_ALL, is nothing new."""
    client.track_contexts(a="a1", d=TRACK_ALL)
    client.track_contexts(a=["a0", "a1"], b=iter(["B"]))
    client.track_contexts(d=TRACK_ALL)
    assert client._engine.options.context_filters() == "a:(a0,a1),b:(B),d:*"


@pytest.mark.parametrize(("first", "second"), [("x", TRACK_ALL), (TRACK_ALL, "x"), (TRACK_ALL, ["x", "y"])])
def test_all_and_single_values_do_not_mix(client: ThreadHeksherClient, first: Any, second: Any) -> None:
    """Mixing TRACK_ALL and values for one feature is a RuntimeError, and changes nothing."""
    client.track_contexts(a=first)
    before = client._engine.options.context_filters()
    with pytest.raises(RuntimeError, match="'a'"):
        client.track_contexts(b="x", a=second)
    assert client._engine.options.context_filters() == before


@pytest.mark.parametrize("value", ["", "a b", "a,b", "a:b", "a(", ")", "a*", "a\n", '"', ["x", "*"], [1]])
def test_what_cannot_be_a_value_is_refused(client: ThreadHeksherClient, value: Any) -> None:
    """A tracked value that would break the filters is a ValueError that names it, and changes nothing."""
    with pytest.raises(ValueError, match="'a'"):
        client.track_contexts(a=value)
    assert client._engine.options.context_filters() == ""


@pytest.mark.parametrize("values", [3, None])
def test_what_is_no_list_of_values_is_refused(client: ThreadHeksherClient, values: Any) -> None:
    """The message names the context feature."""
    with pytest.raises(TypeError, match=r"track_contexts\(a=...\) takes a value, several values or TRACK_ALL, not "):
        client.track_contexts(a=values)


@pytest.mark.parametrize("value", ["john@example.org", "a-b", "a/b.c", "ünï", "1+1=2", "~x"])
def test_useful_values_can_be_tracked(service: Api, connect: Connect, value: str) -> None:
    """E-mail addresses, paths and letters of any language get from a rule in the service to get."""
    setting = Setting("x", int, ["user"], 1)
    client = connect(service.url, tracked={"user": [value]})
    service.add_rule(2, "x", user=value)
    client.reload()
    assert setting.get(user=value) == 2


def test_only_tracked_rules_are_fetched(service: Api, connect: Connect) -> None:
    """A rule is fetched if its every condition is tracked; tracking more brings more at once."""
    setting = Setting("x", int, FEATURES, 0)
    service.declare("x", configurable_features=FEATURES, default_value=0)
    service.add_rule(1, "x", environment="dev")
    service.add_rule(2, "x", environment="dev", user="john")
    service.add_rule(3, "x", environment="dev", user="john", theme="dark")
    client = connect(service.url, tracked={"environment": "dev", "user": ["john"]})
    assert [outcome.rule.value for outcome in setting.explain(environment="", user="", theme="").rules] == [2, 1]
    client.track_contexts(theme=["dark", "bright"])
    client.reload()
    assert setting.get(environment="dev", user="john", theme="dark") == 3


def test_a_client_that_tracks_nothing_says_so(service: Api, log: Log) -> None:
    """A client that tracks nothing gets defaults only, and warns about that once."""
    setting = Setting("x", int, ["user"], 0)
    service.declare("x", configurable_features=["user"], default_value=0)
    service.add_rule(1, "x", user="a")
    with ThreadHeksherClient(service.url, 1000, FEATURES, push=False) as client:
        client.reload()
        assert setting.get(user="a") == 0
    warnings = [record for record in log.caplog.records if "tracks no contexts" in str(record.msg)]
    assert [record.levelname for record in warnings] == ["WARNING"]


def test_untracked_values_are_logged_once(service: Api, connect: Connect, log: Log) -> None:
    """A get with a value that is not tracked warns once per feature and value."""
    setting, other = (Setting(name, int, ["environment", "user"], 0) for name in "xy")
    client = connect(service.url, tracked={"environment": ["dev"], "user": TRACK_ALL})
    for _ in range(3):
        for one in (setting, other):
            one.get(environment="prod", user="anyone")
            one.get(environment="dev", user="anyone")
        client.reload()
    record = log.one(UNTRACKED)
    assert (record["levelname"], record["context_feature"], record["context_feature_value"]) == (
        "WARNING",
        "environment",
        "prod",
    )
    setting.get(environment="qa", user="anyone")
    assert len(log.of(UNTRACKED)) == 2


def test_warnings_are_bounded(service: Api, connect: Connect, log: Log) -> None:
    """However many untracked values there are, there is a limit to the warnings."""
    setting = Setting("x", int, ["user"], 0)
    connect(service.url, tracked={"user": "john"})
    for number in range(2000):
        setting.get(user=str(number))
    assert 10 <= len(log.of(UNTRACKED)) <= 200


def test_defaults_are_set_at_most_once(client: ThreadHeksherClient) -> None:
    """A second default for a feature is a ValueError that names it, and sets none of the others."""
    client.set_defaults(a="1")
    with pytest.raises(ValueError, match="'a'"):
        client.set_defaults(b="2", a="1")
    client.set_defaults(b="3")
    assert client._engine.options.defaults == {"a": "1", "b": "3"}


@pytest.mark.parametrize("default", [None, 1, ["x"], lambda: "x"])
def test_defaults_are_strings_or_variables(client: ThreadHeksherClient, default: Any) -> None:
    """Anything else as a default is a TypeError that names the feature, and sets none of the others."""
    with pytest.raises(TypeError, match="'a'"):
        client.set_defaults(b="x", a=default)
    assert client._engine.options.defaults == {}


def test_defaults_apply_to_every_later_get(service: Api, connect: Connect) -> None:
    """Defaults set before and after a client became main hold for settings from before and after."""
    variable: ContextVar[str] = ContextVar("variable", default="dark")
    earlier = Setting("earlier", int, ["environment", "theme"], 0)
    client = connect(service.url, environment="dev")
    with pytest.raises(RuntimeError, match="'theme'"):
        earlier.get()
    client.set_defaults(theme=variable)
    later = Setting("later", int, ["environment", "theme"], 0)
    client.reload()
    for setting in (earlier, later):
        service.add_rule(5, setting.name, environment="dev", theme="dark")
    client.reload()
    assert (earlier.get(), later.get(), later.get(theme="x")) == (5, 5, 0)


def test_a_missing_variable_is_not_remembered(service: Api, connect: Connect) -> None:
    """A value that depended on a context variable is computed again when the variable has changed."""
    variable: ContextVar[str] = ContextVar("variable")
    setting = Setting("x", int, ["user"], 0)
    client = connect(service.url, user=variable)
    service.add_rule(1, "x", user="a")
    client.reload()
    token = variable.set("a")
    assert setting.get() == 1
    variable.set("b")
    assert setting.get() == 0
    variable.reset(token)
    with pytest.raises(RuntimeError, match="'user'"):
        setting.get()


@pytest.mark.parametrize("name", ["enviroment", "Environment", "usr", "users"])
def test_a_misspelled_context_feature_is_refused(name: str) -> None:
    """A name that looks like one of the client's context features is a ValueError that names the right one."""
    client = ThreadHeksherClient("http://localhost:1", 1, FEATURES)
    near = "environment" if name.lower().startswith("env") else "user"
    with pytest.raises(ValueError, match=f"did you mean '{near}'"):
        client.track_contexts(**{name: "a"})
    with pytest.raises(ValueError, match=f"did you mean '{near}'"):
        client.set_defaults(**{name: "a"})
    assert client._engine.options.tracked == client._engine.options.defaults == {}


@given(st.text(max_size=4))
def test_a_value_can_be_tracked_if_the_service_accepts_it(value: str) -> None:
    """``track_contexts`` refuses what the service's filter cannot contain, and nothing else."""
    client = ThreadHeksherClient("http://localhost:1", 1, FEATURES)
    try:
        client.track_contexts(user=[value])
    except ValueError:
        accepted = False
    else:
        accepted = value != TRACK_ALL
    try:
        parsed = parse_context_filter(f"user:({value})")
    except (BadRequestError, InvalidError):
        assert not accepted
    else:
        assert accepted == (parsed == ContextFilter({"user": frozenset({value})}))
