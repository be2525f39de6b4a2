from contextvars import ContextVar
from typing import Any

import pytest

from heksherlite import Rule, Setting, SyncStubHeksherClient
from heksherlite.explain import ContextValue, FailedCondition
from tests.sdk.conftest import Connect
from tests.service.api import Api


def test_context_values_have_their_source(stub: SyncStubHeksherClient) -> None:
    """The context contains each feature in the order of the setting, with its value and source."""
    variable: ContextVar[str] = ContextVar("variable", default="dark")
    setting = Setting("x", int, ["environment", "user", "theme"], 1)
    stub.set_defaults(environment="dev", theme=variable)
    assert setting.explain(user="john").context == (
        ContextValue("environment", "dev", "constant"),
        ContextValue("user", "john", "argument"),
        ContextValue("theme", "dark", "context variable"),
    )


def test_values_may_be_missing_before_there_is_a_client() -> None:
    """Before there is a client, a missing feature is marked, and the text says that the setting was never retrieved."""
    explanation = Setting("x", int, ["user", "theme"], 1).explain(theme="dark")
    assert explanation.context[0] == ContextValue("user", None, "missing")
    assert (explanation.value, explanation.loaded, explanation.default_source) == (1, False, "local")
    assert "never retrieved" in str(explanation)
    assert "(no value)" in str(explanation)


def test_every_rule_has_its_outcome(service: Api, connect: Connect) -> None:
    """Each rule is listed by priority, with its failed condition, or as matching or winning."""
    setting = Setting("x", int, ["environment", "user"], 1)
    client = connect(service.url)
    general = service.add_rule(10, "x", environment="dev")
    both = service.add_rule(20, "x", environment="dev", user="john")
    other = service.add_rule(30, "x", user="mary")
    client.reload()
    explanation = setting.explain(environment="dev", user="john")
    outcomes = {item.rule.rule_id: (item.matches, item.failed, item.wins) for item in explanation.rules}
    assert [item.rule.rule_id for item in explanation.rules] == [both, other, general]
    assert outcomes == {
        both: (True, None, True),
        other: (False, FailedCondition("user", "mary", "john"), False),
        general: (True, None, False),
    }
    assert explanation.winner is not None
    assert (explanation.value, explanation.winner.rule_id, explanation.loaded) == (20, both, True)


def test_the_source_of_the_default_changes_with_the_first_load(connect: Connect, service: Api) -> None:
    """The default is local before the first load, and comes from the service afterwards."""
    setting = Setting("x", int, ["user"], 1)
    assert (setting.explain().default_source, setting.explain().loaded) == ("local", False)
    connect(service.url)
    explanation = setting.explain(user="a")
    assert (explanation.winner, explanation.default, explanation.default_source) == (None, 1, "service")
    assert explanation.loaded


def test_values_of_stubs_are_marked(stub: SyncStubHeksherClient) -> None:
    """The explanation of a value that a test has set names the stub."""
    setting = Setting("x", int, ["user"], 1)
    stub[setting].rules = 5
    explanation = setting.explain(user="a")
    assert (explanation.value, explanation.default_source) == (5, "stub")
    assert "stub" in str(explanation)


def test_an_explanation_prints_as_a_table(stub: SyncStubHeksherClient) -> None:
    """The text contains the value and its reason, the context, and a row for each rule with its outcome."""
    setting = Setting("x", int, ["environment", "user"], 1)
    stub[setting].rules = [
        Rule({"environment": "dev"}, 10),
        Rule({"environment": "dev", "user": "john"}, 20),
        Rule({"user": "mary"}, 30),
    ]
    stub.set_defaults(environment="dev")
    assert str(setting.explain(user="john")).splitlines() == [
        "x = 20, by rule 2",
        "  environment  'dev' (constant)",
        "  user         'john' (argument)",
        "",
        "      rule  conditions                  value  outcome",
        "  ->  2     environment=dev, user=john  20     wins",
        "      3     user=mary                   30     user is 'john'",
        "      1     environment=dev             10     matches, but a more specific rule wins",
    ]
    assert str(setting.explain(user="x", environment="prod")).startswith("x = 1, default of the declaration: no rule")


def test_explain_raises_what_get_raises(stub: SyncStubHeksherClient) -> None:
    """Unknown features raise ValueError and missing features RuntimeError, with the messages of get."""
    setting = Setting("x", int, ["user"], 1)
    stub[setting].rules = 2
    for contexts, error in [({"theme": "a"}, ValueError), ({}, RuntimeError)]:
        with pytest.raises(error) as of_get:
            setting.get(**contexts)
        with pytest.raises(error) as of_explain:
            setting.explain(**contexts)
        assert str(of_get.value) == str(of_explain.value)


def test_the_default_of_an_operator(service: Api, connect: Connect) -> None:
    """The explanation says whether the default is the operator's, also after an update of only the changes."""
    setting = Setting("x", int, ["user"], 1)
    client = connect(service.url)

    def change(**operation: Any) -> tuple[int, str, str]:
        service.call("POST", "changes", {"operations": [{"setting": "x", **operation}]}).raise_for_status()
        client.reload()
        explanation = setting.explain(user="a")
        return explanation.value, explanation.default_source, str(explanation).splitlines()[0]

    assert setting.explain(user="a").default_source == "service"
    of_operator = (5, "operator", "x = 5, default of the operator: no rules were fetched")
    assert change(op="set_default", value=5) == of_operator
    service.add_rule(7, "x", user="b")
    client.reload()
    assert setting.explain(user="a").default_source == "operator"
    assert change(op="clear_default")[:2] == (1, "service")
