"""The change feed, compared with the definition: what a query returns before and after a change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from heksherlite.service.domain import context_features, rules, settings
from heksherlite.service.domain.catalog import Catalog, Decision
from heksherlite.service.domain.change_feed import ChangeFeed, Interest
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.declarations import Declaration, declare
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.filters import ContextFilter
from heksherlite.service.domain.lineage import NO_NONCE, Lineage, RevisionId
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import RequestError
from heksherlite.values.type_strings import parse_type

FEATURES: tuple[str, ...] = ("a", "b")
NAMES = ("x", "y", "z")

names = st.sampled_from(NAMES)
conditions = st.dictionaries(st.sampled_from(FEATURES), st.sampled_from("123"), min_size=1)
writes = st.one_of(
    st.tuples(st.just("declare"), names, st.integers(0, 3)),
    st.tuples(st.just("add"), names, conditions),
    st.tuples(st.just("change"), st.integers(1, 8), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.integers(1, 8), st.none()),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("forget"), names, st.none()),
    st.tuples(st.just("order"), st.sampled_from(FEATURES), st.none()),
)
filters = st.one_of(
    st.none(),
    st.builds(
        ContextFilter,
        st.dictionaries(st.sampled_from(FEATURES), st.one_of(st.none(), st.frozensets(st.sampled_from("123")))),
    ),
)


def declared(catalog: Catalog, name: str, default_value: int, version: int) -> Decision[object]:
    shape = Shape(name, frozenset(FEATURES), parse_type("int"), default_value, {})
    return declare(catalog, Declaration(shape, Version(1, version if catalog.find(name) else 0)))


DECIDE: Mapping[str, Callable[[Catalog, Any, Any, int], Decision[object]]] = {
    "declare": declared,
    "add": lambda catalog, name, conditions, _: rules.add(catalog, name, conditions, 1, {}),
    "change": lambda catalog, rule_id, value, _: rules.change_value(catalog, rule_id, value),
    "remove": lambda catalog, rule_id, *_: rules.remove(catalog, rule_id),
    "rename": lambda catalog, name, new_name, version: settings.rename(catalog, name, new_name, Version(1, version)),
    "forget": lambda catalog, name, *_: settings.remove(catalog, name),
    "order": lambda catalog, name, *_: context_features.move(catalog, name, after=FEATURES[name == "a"]),
}


def history(sequence: Sequence[tuple[str, Any, Any]]) -> list[Catalog]:
    """Return the catalogs after each of these writes. Refused writes change nothing."""
    state = Counters("database")
    catalogs = [Catalog(state, FEATURES, lineage=Lineage().after([state.revision_id]))]
    for version, (kind, subject, detail) in enumerate(sequence, 1):
        catalog = catalogs[-1]
        try:
            changes = DECIDE[kind](catalog, subject, detail, version).changes
        except RequestError:
            continue
        if changes:
            catalogs.append(catalog.after(changes, catalog.counters_after(changes)))
    return catalogs


def responses(catalog: Catalog, context_filter: ContextFilter | None) -> Mapping[str, object]:
    """Return what a query returns for each setting, by canonical name."""
    return {
        entry.setting.name: (
            entry.setting.default_value,
            {
                (rule.id, rule.conditions, rule.value)
                for rule in entry.rules.values()
                if context_filter is None or context_filter.passes(rule.conditions)
            },
        )
        for entry in catalog.entries.values()
    }


@given(st.lists(writes, max_size=20), filters, st.one_of(st.none(), st.lists(names, unique=True)))
def test_no_change_is_missed(
    sequence: Sequence[tuple[str, Any, Any]], context_filter: ContextFilter | None, asked: Sequence[str] | None
) -> None:
    """A client at some revision is told about each setting for which a query now returns something else."""
    catalogs = history(sequence)
    feed = ChangeFeed(catalogs[0])
    for catalog in catalogs[1:]:
        feed.advance(catalog)
    last = catalogs[-1]
    now = responses(last, context_filter)
    for catalog in catalogs:
        changed = feed.since(catalog.counters.revision_id)
        if changed is None:
            assert catalog.context_features != last.context_features or feed.since(last.counters.revision_id) == {}
            continue
        assert catalog.context_features == last.context_features
        before = responses(catalog, context_filter)
        told = Interest(asked, context_filter).names_in(changed, last)
        assert set(told) <= set(changed)
        for name in NAMES:
            entry = last.find(name)
            concerned = asked is None or name in asked
            canonical = name if entry is None else entry.setting.name
            if concerned and before.get(canonical) != now.get(canonical):
                assert canonical in told


def test_other_changes_are_not_reported() -> None:
    """Changes of rules that the filter excludes, and of settings that were not requested, are not reported."""
    catalogs = history([("declare", "x", 0), ("declare", "y", 0), ("add", "x", {"a": "1"}), ("add", "y", {"a": "2"})])
    feed = ChangeFeed(catalogs[2])
    feed.advance(catalogs[3])
    feed.advance(catalogs[4])
    changed = feed.since(RevisionId(2, NO_NONCE))
    assert changed is not None
    assert Interest(None, None).names_in(changed, feed.catalog) == ["x", "y"]
    assert Interest(["y", "z"], None).names_in(changed, feed.catalog) == ["y"]
    assert Interest(None, ContextFilter({"a": frozenset("2")})).names_in(changed, feed.catalog) == ["y"]
    assert Interest(None, ContextFilter({"b": None})).names_in(changed, feed.catalog) == []


def test_another_branch_may_have_changed_everything() -> None:
    """After a catalog of another branch, a client may have missed everything."""
    before, one, other = (*history([("declare", "x", 0)]), *history([("declare", "y", 0)])[1:])
    state = replace(other.counters, revision_nonce="f" * 12)
    other = replace(other, counters=state, lineage=Lineage().after([before.counters.revision_id, state.revision_id]))
    feed = ChangeFeed(before)
    feed.advance(one)
    assert feed.since(before.counters.revision_id) == {"x": None}
    feed.advance(other)
    assert feed.revision != one.counters.revision_id
    assert feed.since(one.counters.revision_id) is None
    assert feed.since(before.counters.revision_id) is None
    assert feed.since(other.counters.revision_id) == {}


def test_forgotten_revisions_may_have_changed_everything() -> None:
    """Before the oldest of a thousand revisions, and for another database, a client may have missed everything."""
    catalogs = history([("declare", "x", 0), *(("add", "x", {"a": f"{number}"}) for number in range(1000))])
    feed = ChangeFeed(catalogs[0])
    for catalog in catalogs[1:]:
        feed.advance(catalog)
    assert feed.since(RevisionId(0, NO_NONCE)) is None
    assert feed.since(RevisionId(1, NO_NONCE)) is not None
    assert feed.since(feed.revision._replace(number=feed.revision.number + 1)) is None
    other = Catalog(Counters("another database", revision=1), FEATURES)
    feed.advance(replace(other, lineage=Lineage().after([other.counters.revision_id])))
    assert feed.since(RevisionId(1, NO_NONCE)) == {}
    assert feed.since(RevisionId(0, NO_NONCE)) is None
