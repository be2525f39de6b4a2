"""Regions are exact: compared with every context of small random worlds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from heksherlite.regions import RankedRules, Region, differences, winning_regions
from heksherlite.rule_sets import NO_VALUE, RuleSet
from heksherlite.rules import QueriedRule, build_rule_set

FEATURES = ("a", "b", "c")
VALUES = ("x", "y")
ANY_OTHER = "z"

Rules = Mapping[frozenset[tuple[str, str]], int]


@dataclass(frozen=True)
class Side:
    """Rules by their conditions, the order of the context features, and the default."""

    rules: Rules
    order: Sequence[str]
    default: int

    def rule_set(self) -> RuleSet[int]:
        """Return the rules, each of which has its value."""
        rules = [QueriedRule(n, tuple(conditions), self.rules[conditions]) for n, conditions in enumerate(self.rules)]
        return build_rule_set(FEATURES, self.order, rules)[0]

    def value(self, context: Mapping[str, str]) -> int:
        """Return the value in a context, by the code that programs read settings with."""
        value = self.rule_set().value([context[feature] for feature in FEATURES])
        return self.default if value is NO_VALUE else int(value)

    def value_of(self, winner: int | None) -> int:
        """Return the value where a winner of a region decides."""
        return self.default if winner is None else winner


conditions_of_rules = st.dictionaries(st.sampled_from(FEATURES), st.sampled_from(VALUES)).map(
    lambda chosen: frozenset(chosen.items())
)
rules_of_settings = st.dictionaries(conditions_of_rules, st.integers(0, 3), max_size=12)
orders = st.permutations(FEATURES)


def contexts(known: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Yield every context: each feature has a value that rules mention, or one that none does."""
    for values in product((*VALUES, ANY_OTHER), repeat=len(FEATURES)):
        context: dict[str, str] = dict(zip(FEATURES, values, strict=True))
        if known is None or known.items() <= context.items():
            yield context


def contains(region: Region, context: Mapping[str, str]) -> bool:
    """Tell whether a context is in a region, by the definition of a region."""
    met = context.items()
    return dict(region.where).items() <= met and not any(dict(other).items() <= met for other in region.exceptions)


def changed_rules(before: Rules, after: Rules) -> list[dict[str, str]]:
    """Return the conditions of the rules that differ."""
    return [dict(rule) for rule in before.keys() | after.keys() if before.get(rule) != after.get(rule)]


@given(rules_of_settings, orders, st.dictionaries(st.sampled_from(FEATURES), st.sampled_from((*VALUES, ANY_OTHER))))
def test_winning_regions_partition_the_contexts(rules: Rules, order: Sequence[str], known: Mapping[str, str]) -> None:
    """Every context is in exactly one region, and the region's winner is the value that a program reads."""
    side = Side(rules, order, default=-1)
    regions = list(winning_regions(RankedRules(side.rule_set()), known))
    for context in contexts(known):
        winners = [side.value_of(region.winner) for region in regions if contains(region.region, context)]
        assert winners == [side.value(context)]


@given(rules_of_settings, rules_of_settings, orders, orders, st.integers(0, 3), st.integers(0, 3))
def test_differences_are_those_of_every_context(
    rules_before: Rules,
    rules_after: Rules,
    order_before: Sequence[str],
    order_after: Sequence[str],
    default_before: int,
    default_after: int,
) -> None:
    """A context is in exactly one region if its value differs, with both values, and in none if it does not."""
    before = Side(rules_before, order_before, default_before)
    after = Side(rules_after, order_after, default_after)
    found = list(
        differences(
            RankedRules(before.rule_set()),
            RankedRules(after.rule_set()),
            changed_rules(rules_before, rules_after),
            lambda one, other: before.value_of(one) == after.value_of(other),
        )
    )
    for context in contexts():
        values = [
            (before.value_of(difference.before), after.value_of(difference.after))
            for difference in found
            if contains(difference.region, context)
        ]
        pair = (before.value(context), after.value(context))
        assert values == ([] if pair[0] == pair[1] else [pair])


@given(rules_of_settings, rules_of_settings, orders)
def test_no_region_is_empty(rules_before: Rules, rules_after: Rules, order: Sequence[str]) -> None:
    """Every region that is listed has a context."""
    before, after = Side(rules_before, order, 0), Side(rules_after, order, 0)
    ranked = RankedRules(before.rule_set()), RankedRules(after.rule_set())
    changed = changed_rules(rules_before, rules_after)
    for difference in differences(*ranked, changed, lambda one, other: (one or 0) == (other or 0)):
        assert any(contains(difference.region, context) for context in contexts())
    for winning in winning_regions(ranked[0], {}):
        assert any(contains(winning.region, context) for context in contexts())


def test_exceptions_are_limited() -> None:
    """A region lists as many exceptions as are asked for, and says that there are more."""
    users = {frozenset({("b", str(number))}): number for number in range(5)}
    side = Side({frozenset({("a", "x")}): 7, **users}, FEATURES, 0)
    regions = list(winning_regions(RankedRules(side.rule_set()), {"a": "x"}, most_exceptions=3))
    assert regions[-1].winner == 7
    assert regions[-1].region.exceptions == ((("b", "0"),), (("b", "1"),), (("b", "2"),))
    assert regions[-1].region.exceptions_truncated
