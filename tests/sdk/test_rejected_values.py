import gc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import Setting, ThreadHeksherClient
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.queries import ContextFilter
from heksherlite.engine.query_events import SettingBegins
from heksherlite.engine.updates import Continuation, SettingUpdate
from heksherlite.lookup import Lookup
from heksherlite.rules import QueriedRule, RuleBatch
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import ScriptedService, rule
from tests.service.api import Api

IDS = range(1, 5)
VALUES = st.integers(0, 9) | st.just("bad")
STATES = st.dictionaries(st.sampled_from(IDS), VALUES)
STEPS = st.lists(st.tuples(st.sampled_from(["whole", "partial"]), STATES, st.sets(st.sampled_from(IDS))), max_size=6)


def receive(setting: Setting[int], rules: dict[int, Any], removed: Sequence[int] | None) -> Lookup:
    """Return the lookup after a whole response with these rules, or after a partial one that removes others."""
    before = setting._lookup
    update = (
        SettingUpdate(setting, before) if removed is None else SettingUpdate(setting, before, before.rules, removed)
    )
    update.default_value = 0
    update.add(RuleBatch(list(rules), ["user"], [[f"u{rule_id}" for rule_id in rules]], list(rules.values())))
    return update.lookup(["user"], ContextOptions())


@pytest.mark.parametrize("validated", [False, True])
@given(steps=STEPS)
def test_every_rule_has_its_last_good_value(validated: bool, steps: list[tuple[str, dict[int, Any], set[int]]]) -> None:
    """After any updates, a rule has its last good value, and is listed as rejected exactly if a later one was bad."""
    setting = Setting("x", int, ["user"], 0)
    if validated:
        setting.add_validator(lambda value, _rule, _setting: value)
    good: dict[int, int] = {}
    bad: set[int] = set()
    for kind, rules, others in steps:
        removed = None if kind == "whole" else sorted(others - rules.keys())
        gone = (good.keys() | bad) - rules.keys() if removed is None else set(removed)
        good = {rule_id: value for rule_id, value in good.items() if rule_id not in gone}
        good |= {rule_id: value for rule_id, value in rules.items() if value != "bad"}
        bad = (bad - gone - rules.keys()) | {rule_id for rule_id, value in rules.items() if value == "bad"}
        setting._serve(receive(setting, rules, removed))
        assert {one.rule_id: one.value for one in setting._lookup.rules} == good
        assert {value.rule_id: value.is_kept for value in setting._lookup.rejected} == {
            rule_id: rule_id in good for rule_id in bad
        }


def test_a_rule_with_the_id_of_another_one_does_not_keep_its_value() -> None:
    """If a restored service uses an id again, the rejected rule does not get the value of the earlier rule."""
    setting = Setting("x", int, ["user"], 0)
    setting._serve(receive(setting, {1: 5}, None))
    before = setting._lookup
    update = SettingUpdate(setting, before, before.rules)
    update.default_value = 0
    update.add(RuleBatch([1], ["user"], [["somebody"]], ["bad"]))
    after = update.lookup(["user"], ContextOptions())
    assert list(after.rules) == []
    assert [value.is_kept for value in after.rejected] == [False]


def check_positive(value: int, rule: QueriedRule[Any] | None, setting: Setting[int]) -> int:
    """Reject a value below 1."""
    del rule, setting
    if value < 1:
        raise TypeError("must be positive")
    return value


def test_a_rejected_value_is_reported_until_it_is_right(service: Api, connect: Connect, log: Log) -> None:
    """The status, the explanation and the log say what was rejected and why, and that the last good value is used."""
    setting = Setting("pool_size", int, ["user"], 3)
    setting.add_validator(check_positive)
    client = connect(service.url)
    rule_id = service.add_rule(5, "pool_size", user="a")
    client.reload()
    assert (setting.get(user="a"), client.status.rejected_rules, client.status.problems) == (5, 0, ())

    service.call("PUT", f"rules/{rule_id}/value", {"value": -5})
    client.reload()
    assert setting.get(user="a") == 5
    status = client.status
    assert (status.state, status.rejected_rules) == ("fresh", 1)
    (problem,) = status.problems
    assert (problem.kind, problem.setting, problem.rule_id) == ("rejected rule", "pool_size", rule_id)
    explanation = setting.explain(user="a")
    assert [value.raw_value for value in explanation.rejected] == [-5]
    warning = log.of("setting update rejected rules")[-1].getMessage()
    for text in (str(problem), str(explanation), warning):
        for part in ("pool_size", f"rule {rule_id}", "-5", "must be positive", "last good value stays"):
            assert part in text

    service.call("PUT", f"rules/{rule_id}/value", {"value": 6})
    client.reload()
    assert (setting.get(user="a"), client.status.rejected_rules, setting.explain(user="a").rejected) == (6, 0, ())


def test_rules_that_were_all_rejected_are_not_called_missing(scripted: ScriptedService, connect: Connect) -> None:
    """If every rule was rejected from the start, the explanation lists them with their conditions and reasons."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", 1, rule(1, "a", user="john"), rule(2, 1.5, user="mary"))
    client = connect(scripted.url)
    text = str(setting.explain(user="john"))
    assert "all 2 rules were rejected" in text
    for part in ("rule 1", "'a'", "user=john", "rule 2", "1.5", "user=mary", "not of type int"):
        assert part in text
    assert "there are no rules" not in text
    assert client.status.rejected_rules == 2


def test_a_rejected_default_is_reported(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """A default of the service that cannot be used is a problem, and is no rejected rule."""
    setting = Setting("x", int, ["user"], 1)
    scripted.serve("x", "text")
    client = connect(scripted.url)
    (problem,) = client.status.problems
    assert (problem.kind, problem.setting, problem.rule_id, client.status.rejected_rules) == (
        "rejected default",
        setting.name,
        None,
        0,
    )
    assert "'text'" in str(setting.explain(user="a"))
    (record,) = log.of("setting default value discarded default due to conversion error")
    assert "'x'" in record.getMessage()
    assert "'text'" in record.getMessage()


def test_rules_that_are_not_fetched_are_mentioned(service: Api, connect: Connect) -> None:
    """The explanation says that nothing is tracked, which values are not, and that scheduled rules are not fetched."""
    setting = Setting("x", int, ["environment", "user"], 1)
    client = ThreadHeksherClient(service.url, 1000, ["environment", "user", "theme"], push=False)
    with client:
        text = str(setting.explain(environment="dev", user="a"))
        assert "this client tracks no contexts of environment, user" in text
        assert "no rules were fetched" in text
    client = connect(service.url, tracked={"environment": ["dev"]})
    service.add_rule(2, "x", environment="prod")
    service.add_rule(3, "x", environment="dev", user="a")
    client.reload()
    text = str(setting.explain(environment="prod", user="a"))
    assert "does not track environment='prod'" in text
    assert "does not track user='a'" in text
    assert "rules that start later, and rules that have ended, are not fetched" in text
    assert "there are no rules" not in text


def test_a_conflict_is_reported_with_the_version_to_write(service: Api, connect: Connect, log: Log) -> None:
    """A declaration that contradicts the service is counted, and the reason names the difference and the version."""
    service.declare("x", configurable_features=["user"], type="int", default_value=1, metadata={"a": 1})
    setting = Setting("x", int, ["user"], 1, metadata={"a": 2})
    client = connect(service.url)
    assert (client.status.conflicts, client.status.undeclared) == (1, 0)
    (problem,) = client.status.problems
    assert (problem.kind, problem.setting) == ("conflict", setting.name)
    (record,) = log.of("conflict when declaring setting")
    for text in (problem.reason, record.getMessage()):
        assert "metadata (the service has {'a': 1})" in text
        assert "version='1.1'" in text


def test_a_conflict_is_that_of_one_declaration(service: Api, connect: Connect) -> None:
    """Several modules may declare a setting. Only those are counted whose declaration the service refuses."""
    service.declare("x", configurable_features=["user"], type="int", default_value=1)
    declarations: list[tuple[Any, Any]] = [(int, 1), (int, 2), (str, "x"), (int, 1)]
    settings = [Setting("x", type_, ["user"], default) for type_, default in declarations]
    client = connect(service.url)
    reasons = [problem.reason for problem in client.status.problems if problem.kind == "conflict"]
    assert (client.status.conflicts, len(reasons), len(set(reasons))) == (2, 2, 2)
    del settings[1:3]
    gc.collect()
    assert client.status.conflicts == 0


def test_an_undeclared_setting_is_reported(service: Api, connect: Connect) -> None:
    """A declaration that the service refuses is counted, with what the service said."""
    good, bad = Setting("good", int, ["user"], 1), Setting("bad", int, ["user"], 1, alias="nothing")
    client = connect(service.url)
    assert "its rules were not fetched yet" in str(bad.explain(user="a"))
    assert (client.status.undeclared, client.status.conflicts) == (1, 0)
    (problem,) = client.status.problems
    assert (problem.kind, problem.setting) == ("undeclared", bad.name)
    assert "nothing" in problem.reason
    service.add_rule(2, "good", user="a")
    client.reload()
    assert good.get(user="a") == 2


def test_rejected_rules_of_another_filter_stay() -> None:
    """If the tracked values are divided among queries, a response replaces only the rejections of its own values."""
    setting = Setting("x", int, ["user"], 0)
    first, second = (ContextFilter("", {"user": frozenset(users)}) for users in (["u1", "u2"], ["u3"]))

    def respond(selects: ContextFilter, rules: dict[int, Any]) -> None:
        begins = SettingBegins("x", whole=True, removed=())
        update = Continuation(selects=selects).begin(setting, begins)
        update.default_value = 0
        update.add(RuleBatch(list(rules), ["user"], [[f"u{rule_id}" for rule_id in rules]], list(rules.values())))
        setting._serve(update.lookup(["user"], ContextOptions()))

    respond(first, {1: "bad", 2: 20})
    respond(second, {3: "bad"})
    assert [value.rule_id for value in setting._lookup.rejected] == [1, 3]
    respond(first, {2: "bad"})
    assert {value.rule_id: value.is_kept for value in setting._lookup.rejected} == {3: False, 2: True}
    assert setting.get(user="u2") == 20
    respond(first, {})
    assert [value.rule_id for value in setting._lookup.rejected] == [3]
    assert setting.get(user="u2") == 0
