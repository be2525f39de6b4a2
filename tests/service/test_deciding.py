"""Lists of operations, compared with a model that applies them one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.operations import (
    AddDeclarer,
    AddRule,
    AnyOperation,
    ClearDefault,
    DeleteRule,
    DeleteSetting,
    MoveContextFeature,
    PutRule,
    RemoveDeclarer,
    RenameSetting,
    SetClientVisible,
    SetDefault,
    SetProtection,
    SetSchedule,
    SetSettingMetadata,
    SetValue,
)
from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.deciding import Outcome, decide
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.explanations import Page, explain
from heksherlite.service.domain.impact import impact_of
from heksherlite.service.domain.ranked_rules import RankedRulesCache, ranked_rules
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.domain.working_copy import WorkingCopy
from heksherlite.service.errors import OutsidePrefixError, RequestError
from heksherlite.values.type_strings import parse_type

FEATURES = ("environment", "user", "theme")
VALUES = ("a", "b")
ANY_OTHER = "z"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2040, 1, 1, tzinfo=UTC)
NAMES = ("one", "two")


def new_catalog() -> Catalog:
    """Return a catalog of two settings without rules."""
    settings = tuple(
        Setting(
            id=number,
            name=name,
            type=parse_type("int"),
            declared_default_value=0,
            configurable_features=frozenset(FEATURES),
            version=INITIAL,
            metadata={},
            aliases=frozenset(),
            revision=1,
        )
        for number, name in enumerate(NAMES, 1)
    )
    nothing = Catalog(Counters("database"))
    changes = Changes(context_features=FEATURES, settings=settings)
    return nothing.after(changes, nothing.counters_after(changes))


def made(catalog: Catalog, outcome: Outcome) -> Catalog:
    """Return the catalog after an outcome was stored."""
    return catalog.after(outcome.changes, catalog.counters_after(outcome.changes))


def content(catalog: Catalog) -> Any:
    """Return the contents of a catalog without revisions and ids of rules."""
    return (
        catalog.context_features,
        {
            entry.setting.name: (
                replace(entry.setting, revision=0),
                {rule.conditions: (rule.value, rule.metadata, rule.schedule) for rule in entry.rules.values()},
            )
            for entry in catalog.entries.values()
        },
        {name: catalog.entries[setting_id].setting.name for name, setting_id in catalog.ids_by_name.items()},
        {catalog.rules[rule_id].conditions for rule_id in catalog.scheduled},
    )


names = st.sampled_from([*NAMES, "three"])
conditions = st.dictionaries(st.sampled_from(FEATURES), st.sampled_from(VALUES), min_size=1)
values = st.integers(0, 3)
times = st.sampled_from([None, FUTURE])
rule_ids = st.integers(1, 8)
operations = st.one_of(
    st.builds(AddRule, setting=names, feature_values=conditions, value=values, starts_at=times),
    st.builds(PutRule, setting=names, feature_values=conditions, value=values),
    st.builds(PutRule, setting=names, feature_values=conditions, value=values, ends_at=times),
    st.builds(SetValue, setting=names, feature_values=conditions, value=values),
    st.builds(SetValue, rule_id=rule_ids, value=values),
    st.builds(SetSchedule, rule_id=rule_ids, starts_at=times),
    st.builds(DeleteRule, rule_id=rule_ids),
    st.builds(DeleteRule, setting=names, feature_values=conditions),
    st.builds(SetDefault, setting=names, value=values),
    st.builds(ClearDefault, setting=names),
    st.builds(SetSettingMetadata, setting=names, metadata=st.just({"note": 1})),
    st.builds(SetProtection, setting=names, protected=st.booleans()),
    st.builds(SetClientVisible, setting=names, client_visible=st.booleans()),
    st.builds(AddDeclarer, setting=names, kind=st.just("token"), id=st.just("a")),
    st.builds(RemoveDeclarer, setting=names, kind=st.just("token"), id=st.just("a")),
    st.builds(RenameSetting, setting=names, name=names),
    st.builds(DeleteSetting, setting=names),
    st.builds(MoveContextFeature, context_feature=st.sampled_from(FEATURES), to_after=st.sampled_from(FEATURES)),
)
lists = st.lists(operations, max_size=15)


def one_by_one(catalog: Catalog, listed: Sequence[AnyOperation]) -> Catalog:
    """Return the catalog after each possible operation was applied by itself."""
    for operation in listed:
        outcome = decide(catalog, [operation], NOW)
        if not outcome.conflicts:
            catalog = made(catalog, outcome)
    return catalog


@given(lists, lists)
def test_a_list_equals_its_operations_one_by_one(first: Sequence[AnyOperation], then: Sequence[AnyOperation]) -> None:
    """A list gives the same catalog as its operations one after the other."""
    catalog = one_by_one(new_catalog(), first)
    assert content(made(catalog, decide(catalog, then, NOW))) == content(one_by_one(catalog, then))


@given(lists, lists)
def test_a_list_without_effect(first: Sequence[AnyOperation], then: Sequence[AnyOperation]) -> None:
    """A list whose operations cancel each other, or have no effect, stores nothing."""
    catalog = one_by_one(new_catalog(), first)
    after = made(catalog, decide(catalog, then, NOW))
    same = content(after) == content(catalog)
    only_new_rules_went = {rule.id for rule in after.rules.values()} == {rule.id for rule in catalog.rules.values()}
    if same and only_new_rules_went:
        assert decide(catalog, then, NOW).changes == Changes()


@given(lists, lists)
def test_conflicts_name_every_operation_that_cannot_be_made(
    first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """The conflicts name the operations that also fail one by one, with the reasons."""
    catalog = one_by_one(new_catalog(), first)
    outcome = decide(catalog, then, NOW)
    failing = []
    present = catalog
    for index, operation in enumerate(then):
        one = decide(present, [operation], NOW)
        if one.conflicts:
            failing.append(index)
        else:
            present = made(present, one)
    assert sorted({conflict.operation for conflict in outcome.conflicts}) == failing
    assert all(conflict.reason for conflict in outcome.conflicts)


def every_context() -> list[dict[str, str]]:
    """Return every context that rules can distinguish."""
    chosen = product((*VALUES, ANY_OTHER), repeat=len(FEATURES))
    return [dict(zip(FEATURES, each, strict=True)) for each in chosen]


def values_of(catalog: Catalog, setting_id: int) -> list[Any]:
    """Return the value of a setting in every context, or `NO_VALUE` if the setting does not exist."""
    entry = catalog.entries.get(setting_id)
    if entry is None:
        return [NO_VALUE for _ in every_context()]
    rules = ranked_rules(catalog, entry)
    found = []
    for context in every_context():
        _, winner = rules.covering(context, above=len(rules)) or (None, None)
        found.append(entry.setting.default_value if winner is None else winner.value)
    return found


def is_in(region: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """Tell whether a context is in a region, as the API shows it."""
    met = context.items()
    return region["where"].items() <= met and not any(other.items() <= met for other in region["except"])


@given(lists, lists)
def test_the_impact_is_what_changes_in_every_context(
    first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """A context whose value changes is in exactly one region of the impact, with both values. Others are in none."""
    catalog = one_by_one(new_catalog(), first)
    outcome = decide(catalog, then, NOW)
    after = made(catalog, outcome)
    impact = impact_of(catalog, after, outcome.changes, ranked_rules)
    for setting_id, entry in catalog.entries.items():
        name = after.entries.get(setting_id, entry).setting.name
        is_deleted = setting_id not in after.entries  # another one may have its name then
        regions = [
            each
            for each in impact.regions
            if each["setting"] == name and "shadowed_by" not in each and each.get("deleted", False) == is_deleted
        ]
        before_and_after = zip(values_of(catalog, setting_id), values_of(after, setting_id), strict=True)
        for context, (before, now) in zip(every_context(), before_and_after, strict=True):
            found = [each for each in regions if is_in(each, context)]
            if now is NO_VALUE:
                assert [each["deleted"] for each in found] == [True]
            else:
                assert [(each["before"], each["after"]) for each in found] == ([] if before == now else [(before, now)])


@given(lists, lists)
def test_updated_rule_sets_equal_new_ones(first: Sequence[AnyOperation], then: Sequence[AnyOperation]) -> None:
    """Updating the ranked rules of a setting gives the same result as building them from all rules."""
    cache = RankedRulesCache()
    catalog = one_by_one(new_catalog(), first)
    for entry in catalog.entries.values():
        cache.get(catalog, entry)
    after = one_by_one(catalog, then)
    for entry in after.entries.values():
        cached, new = cache.get(after, entry), ranked_rules(after, entry)
        assert cached.features == new.features
        assert [(shape.features, shape.values) for shape in cached.shapes] == [
            (shape.features, shape.values) for shape in new.shapes
        ]


@given(lists, st.dictionaries(st.sampled_from(FEATURES), st.sampled_from((*VALUES, ANY_OTHER))))
def test_explanations_agree_with_values(listed: Sequence[AnyOperation], known: Mapping[str, str]) -> None:
    """In each context with the known values, the value is that of the only region that contains the context."""
    catalog = one_by_one(new_catalog(), listed)
    for entry in catalog.entries.values():
        rules = ranked_rules(catalog, entry)
        explanation = explain(catalog, entry, rules, known, Page())
        whole = [{"where": {}, "except": [], **explanation}]
        for context, value in zip(every_context(), values_of(catalog, entry.setting.id), strict=True):
            if known.items() <= context.items():
                found = [each for each in explanation.get("regions", whole) if is_in(each, context)]
                assert [each["value"] for each in found] == [value]
        outcomes = [rule["outcome"] for rule in explanation["rules"]]
        assert len(outcomes) == len(entry.rules)
        if not explanation["missing"]:
            assert outcomes.count("wins") == (explanation["decided_by"]["kind"] == "rule")
            assert "possible" not in outcomes


@given(lists, lists)
def test_a_working_copy_is_the_catalog_that_is_stored(
    first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """A working copy shows the same as the catalog that is stored afterwards."""
    catalog = one_by_one(new_catalog(), first)
    copy = WorkingCopy(catalog)
    for operation in then:
        try:
            outcome = decide(copy.catalog, [operation], NOW)
        except RequestError:
            continue
        if not outcome.conflicts:
            copy.apply(outcome.changes)
    changes = copy.changes()
    assert content(copy.catalog) == content(catalog.after(changes, catalog.counters_after(changes)))
    assert list(copy.catalog.rules) == sorted(copy.catalog.rules)


class NotIterable(dict[Any, Any]):
    """A mapping that can only be asked for single keys, and for its last one."""

    def __iter__(self) -> Any:
        raise AssertionError("all items were looked at")

    keys = values = items = __iter__


def test_the_work_of_an_operation_does_not_grow_with_the_rules() -> None:
    """Operations on single rules look at these rules only, however many rules and scheduled rules there are."""
    add = [AddRule(setting="one", feature_values={"user": f"u{number}"}, value=1) for number in range(4)]
    late = [replace(rule, feature_values={"user": f"later{index}"}, starts_at=FUTURE) for index, rule in enumerate(add)]
    catalog = one_by_one(new_catalog(), [*add, *late])
    entry = catalog.entries[1]
    large = replace(
        entry,
        rules=NotIterable(entry.rules),
        ids_by_conditions=NotIterable(entry.ids_by_conditions),
        unserved=NotIterable(entry.unserved),
    )
    guarded = replace(
        catalog,
        rules=NotIterable(catalog.rules),
        scheduled=NotIterable(catalog.scheduled),
        entries={**catalog.entries, 1: large},
    )
    then: list[AnyOperation] = [
        PutRule(setting="one", feature_values={"user": "u0"}, value=2),
        PutRule(setting="one", feature_values={"user": "new"}, value=2),
        SetSchedule(setting="one", feature_values={"user": "u1"}, starts_at=FUTURE),
        SetSchedule(setting="one", feature_values={"user": "later0"}, starts_at=None),
        DeleteRule(setting="one", feature_values={"user": "u2"}),
        DeleteRule(setting="one", feature_values={"user": "later1"}),
    ]
    outcome = decide(guarded, then, NOW)
    assert not outcome.conflicts
    assert len(outcome.changes.rules) == 4
    assert len(outcome.changes.removed_rules) == 2


@given(lists, lists, st.integers(0, 5))
def test_an_impact_that_takes_too_long_says_that_it_is_incomplete(
    first: Sequence[AnyOperation], then: Sequence[AnyOperation], steps: int
) -> None:
    """What was found in time is listed, and is a part of everything. It never looks complete if it is not."""
    catalog = one_by_one(new_catalog(), first)
    outcome = decide(catalog, then, NOW)
    after = made(catalog, outcome)
    left = iter(range(steps))
    early = impact_of(catalog, after, outcome.changes, ranked_rules, is_over=lambda: next(left, None) is None)
    whole = impact_of(catalog, after, outcome.changes, ranked_rules)
    assert early.regions == whole.regions[: len(early.regions)]
    assert early.regions == whole.regions or (early.truncated and early.counts_are_minimums)


few_conditions = st.fixed_dictionaries({"user": st.sampled_from(VALUES)})
rule_operations = st.one_of(
    st.builds(AddRule, setting=names, feature_values=few_conditions, value=values, starts_at=times),
    st.builds(PutRule, setting=names, feature_values=few_conditions, value=st.one_of(values, st.just("unfit"))),
    st.builds(PutRule, setting=names, feature_values=st.just({"unknown": "a"}), value=values),
    st.builds(SetValue, setting=names, feature_values=few_conditions, value=values),
    st.builds(SetValue, rule_id=rule_ids, value=values),
    st.builds(SetSchedule, rule_id=rule_ids, starts_at=times),
    st.builds(DeleteRule, rule_id=rule_ids),
    st.builds(DeleteRule, setting=names, feature_values=few_conditions),
)
mostly_rules = st.lists(st.one_of(rule_operations, rule_operations, rule_operations, operations), max_size=30)


@given(mostly_rules, mostly_rules)
def test_a_list_has_the_results_of_its_operations_one_by_one(
    first: Sequence[AnyOperation], then: Sequence[AnyOperation]
) -> None:
    """Each operation of a list has the result, the conflicts and what it touches as if it were alone.

    Operations on the same rules come close together, because those on different rules are made at once.
    """
    catalog = one_by_one(new_catalog(), first)
    outcome = decide(catalog, then, NOW)
    present = catalog
    for index, operation in enumerate(then):
        one = decide(present, [operation], NOW)
        reasons = [replace(conflict, operation=0) for conflict in outcome.conflicts if conflict.operation == index]
        assert reasons == list(one.conflicts)
        if not one.conflicts:
            assert outcome.results[index] == one.results[0]
            assert outcome.touched[index] == one.touched[0]
            present = made(present, one)
    assert content(outcome.after) == content(present)
    assert list(outcome.after.rules) == sorted(outcome.after.rules)


def test_what_a_limited_token_must_not_touch_is_found_between_operations_that_wait() -> None:
    """An operation outside the prefix is refused among others, also after a rule of a setting inside was added."""
    catalog = new_catalog().limited_to("on")
    inside = [PutRule(setting="one", feature_values={"user": f"u{number}"}, value=1) for number in range(3)]
    assert len(decide(catalog, inside, NOW).changes.rules) == 3
    outside = PutRule(setting="two", feature_values={"user": "u1"}, value=1)
    with pytest.raises(OutsidePrefixError):
        decide(catalog, [*inside, outside], NOW)
