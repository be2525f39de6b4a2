from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from heksherlite import Setting, ThreadHeksherClient
from heksherlite.contexts import ContextCompletion
from heksherlite.lookup import Lookup
from heksherlite.rule_sets import NO_VALUE
from heksherlite.rules import QueriedRule, build_rule_set
from tests.sdk.conftest import Connect, Log
from tests.sdk.scripted_service import ScriptedService, rule
from tests.service.api import FEATURES, Api

VALUES = ["x", "y"]


@dataclass(frozen=True)
class World:
    """A service's order of features, a setting's features in its own order, its rules, and contexts."""

    order: Sequence[str]
    features: Sequence[str]
    rules: Sequence[QueriedRule[int]]
    contexts: Sequence[Mapping[str, str]]

    def expected(self, context: Mapping[str, str]) -> QueriedRule[int] | None:
        """Return the winner by the definition: feature i weighs 2**i, the largest sum of a matching rule wins."""
        matching = [
            rule for rule in self.rules if all(context[feature] == wanted for feature, wanted in rule.context_features)
        ]
        weights = [sum(2 ** self.order.index(feature) for feature, _ in rule.context_features) for rule in matching]
        return matching[weights.index(max(weights))] if matching else None


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a random world without two rules of the same conditions."""
    order = draw(st.permutations("abcdef"))
    features = draw(st.lists(st.sampled_from(order), min_size=1, unique=True))
    conditions = draw(
        st.lists(
            st.dictionaries(st.sampled_from(features), st.sampled_from(VALUES), min_size=1),
            max_size=20,
            unique_by=lambda chosen: frozenset(chosen.items()),
        )
    )
    rules = [QueriedRule(100 + i, tuple(chosen.items()), i) for i, chosen in enumerate(conditions)]
    values = st.sampled_from([*VALUES, "other"])
    contexts = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(features, values)), min_size=1, max_size=8))
    return World(order, features, rules, contexts)


@given(worlds())
def test_the_largest_sum_of_weights_wins(world: World) -> None:
    """The winner and its value are those of a search through all rules by the definition."""
    rule_set, conflicts = build_rule_set(world.features, world.order, world.rules)
    assert conflicts == []
    assert len(rule_set) == len(world.rules)
    for context in world.contexts:
        expected = world.expected(context)
        asked = tuple(context[feature] for feature in world.features)
        winner = rule_set.winner(asked)
        assert (winner and winner.rule_id) == (expected and expected.rule_id)
        assert rule_set.value(asked) == (NO_VALUE if expected is None else expected.value)


@given(worlds())
def test_get_and_explain_agree_with_the_definition(world: World) -> None:
    """For every context, get returns the value of the rule that explain names, which is the right one."""
    setting = Setting("x", int, world.features, -1)
    rule_set, _ = build_rule_set(world.features, world.order, world.rules)
    setting._serve(Lookup("x", rule_set, -1, ContextCompletion(rule_set.features)))
    for context in world.contexts:
        expected = world.expected(context)
        explanation = setting.explain(**context)
        assert setting.get(**context) == explanation.value == (-1 if expected is None else expected.value)
        assert (explanation.winner and explanation.winner.rule_id) == (expected and expected.rule_id)
        for outcome in explanation.rules:
            met = all(context[feature] == wanted for feature, wanted in outcome.rule.context_features)
            assert outcome.matches == met
            assert outcome.wins == (expected is not None and outcome.rule.rule_id == expected.rule_id)
        assert {outcome.rule.rule_id for outcome in explanation.rules} == {rule.rule_id for rule in world.rules}


@given(worlds(), st.data())
def test_rules_of_equal_conditions_conflict(world: World, data: st.DataObject) -> None:
    """A rule whose conditions another one has, in whatever order, takes its place and is reported."""
    if not world.rules:
        return
    original = data.draw(st.sampled_from(world.rules))
    double = QueriedRule(999, tuple(data.draw(st.permutations(original.context_features))), -5)
    rule_set, conflicts = build_rule_set(world.features, world.order, [*world.rules, double])
    assert conflicts == [double]
    others = {(rule.rule_id, rule.value) for rule in world.rules if rule != original}
    assert {(rule.rule_id, rule.value) for rule in rule_set} == {*others, (999, -5)}


def test_the_global_order_decides_and_not_the_settings(service: Api, connect: Connect) -> None:
    """Rule priority follows the service's order of features, and a reordering there changes it at the next update."""
    setting = Setting("x", str, ["theme", "user", "environment"], "none")
    client = connect(service.url)
    for feature in FEATURES:
        service.add_rule(feature, "x", **{feature: "a"})
    service.add_rule("two", "x", environment="a", user="a")
    client.reload()

    def winners() -> list[str]:
        return [setting.get(environment="a", user=user, theme=theme) for user in "ab" for theme in "ab"]

    assert winners() == ["theme", "two", "theme", "environment"]
    service.call("PATCH", "context_features/environment/index", {"to_after": "theme"})
    client.reload()
    assert winners() == ["two", "two", "environment", "environment"]


def test_the_settings_order_is_no_tie_breaker(connect: Connect, service: Api) -> None:
    """Of two rules with conditions on the last feature, the one on the next-latest feature wins."""
    setting = Setting("x", str, FEATURES, "none")
    client: ThreadHeksherClient = connect(service.url)
    service.add_rule("environment+theme", "x", environment="a", theme="a")
    service.add_rule("user+theme", "x", user="a", theme="a")
    client.reload()
    assert setting.get(environment="a", user="a", theme="a") == "user+theme"
    assert setting.get(environment="a", user="b", theme="a") == "environment+theme"


def test_conflicting_rules_are_logged(scripted: ScriptedService, connect: Connect, log: Log) -> None:
    """If a response has two rules with equal conditions, the last counts, and an ERROR says so."""
    setting = Setting("x", int, ["environment", "user"], 0)
    scripted.serve(
        "x", 0, rule(1, 10, environment="a", user="b"), rule(2, 20, user="b", environment="a"), rule(3, 30, user="c")
    )
    connect(scripted.url)
    assert setting.get(environment="a", user="b") == 20
    record = log.one("rule conflict, overlapping values for context")
    assert (record["levelname"], record["setting"], record["rule_id"]) == ("ERROR", "x", 2)
