"""How names and filters are divided among queries."""

from urllib.parse import quote_plus

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import TRACK_ALL
from heksherlite.engine.queries import ContextFilter, context_filters, divide_filters, divide_names
from heksherlite.rules import QueriedRule, build_rule_set
from heksherlite.service.domain.filters import parse_context_filter

LONGEST = 26_000

features = st.sampled_from(["environment", "theme", "user"])
values = st.one_of(
    st.just(TRACK_ALL),
    st.tuples(st.integers(0, 4000), st.sampled_from(["tenant-", "é", "u"])).map(
        lambda drawn: {f"{drawn[1]}{number}" for number in range(drawn[0])} or {"one"}
    ),
)


def passes(part: ContextFilter, conditions: dict[str, str]) -> bool:
    parsed = parse_context_filter(part.text)
    return parsed is None or parsed.passes(tuple(conditions.items()))


def test_few_names_are_one_query() -> None:
    """Names that fit into a URL are joined with commas. No name at all is an empty list of names."""
    assert divide_names(["a", "b"]) == ["a,b"]
    assert divide_names([]) == [""]


def test_many_names_are_several_queries() -> None:
    """No name is lost, the order stays the same, and each part fits into a URL."""
    names = [f"a_setting_with_a_name.{number:05}" for number in range(3000)]
    parts = divide_names(names)
    assert ",".join(parts).split(",") == names
    assert all(len(quote_plus(part)) <= 30_000 for part in parts)


def test_few_values_are_one_filter() -> None:
    """Tracked values that fit into a URL are one filter, which selects all tracked rules."""
    (part,) = divide_filters({"user": {"b", "a"}, "theme": TRACK_ALL})
    assert part == ContextFilter("theme:*,user:(a,b)")
    assert part.values == {}


@hypothesis.settings(max_examples=25, deadline=None)
@given(st.dictionaries(features, values, max_size=3), st.data())
def test_each_tracked_rule_is_selected(tracked: dict[str, set[str] | str], data: st.DataObject) -> None:
    """Filters fit into a URL, and together select exactly what the undivided filter selects."""
    parts = divide_filters(tracked)
    assert all(len(quote_plus(part.text)) <= LONGEST for part in parts)
    whole = ContextFilter(context_filters(tracked))
    for _ in range(10):
        conditions = {
            feature: data.draw(st.sampled_from(sorted(allowed)) if isinstance(allowed, set) else st.just("x"))
            for feature, allowed in tracked.items()
            if data.draw(st.booleans())
        }
        assert passes(whole, conditions)
        assert any(passes(part, conditions) for part in parts)
    assert not any(passes(part, {"untracked": "a"}) for part in parts)


def test_the_rules_that_a_filter_selects() -> None:
    """``selected_ids`` finds the rules that the service selects for the same filter."""
    rules = [
        QueriedRule(1, (), 0),
        QueriedRule(2, (("user", "a"),), 0),
        QueriedRule(3, (("user", "b"),), 0),
        QueriedRule(4, (("theme", "dark"), ("user", "b")), 0),
        QueriedRule(5, (("theme", "dark"),), 0),
    ]
    rule_set, _ = build_rule_set(("theme", "user"), ("theme", "user"), rules)
    part = ContextFilter("theme:*,user:(a)", {"user": frozenset({"a"})})
    assert set(part.selected_ids(rule_set)) == {1, 2, 5}
    selected = {rule.rule_id for rule in rules if passes(part, dict(rule.context_features))}
    assert selected == {1, 2, 5}
