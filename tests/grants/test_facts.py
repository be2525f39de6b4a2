"""Merging, lookup and validation of facts."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import GrantError, GroupNotFound
from heksherlite.grants.facts import deep_copy, find_problem, has_value, look_up, merge
from heksherlite.grants.nested_names import parse_variables

KEYS = st.text("abc", min_size=1, max_size=2)
LEAVES = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
FACTS: Any = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3),
    lambda children: st.dictionaries(KEYS, children | LEAVES, max_size=3),
    max_leaves=8,
)


def leaves(facts: dict[str, Any], *path: str) -> dict[tuple[str, ...], Any]:
    """Return all values of facts by their path, empty mappings too."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in facts.items():
        if isinstance(value, dict) and value:
            found |= leaves(value, *path, key)
        else:
            found[*path, key] = value
    return found


@given(FACTS)
def test_merge_identity_and_idempotence(facts: Any) -> None:
    """Merging facts with nothing or with themselves leaves them unchanged."""
    assert merge({}, facts) == merge(facts, {}) == merge(facts, facts) == merge(facts) == facts


@given(FACTS, FACTS, FACTS)
def test_merge_is_associative_from_the_left(first: Any, second: Any, third: Any) -> None:
    """Merging three layers equals merging two and then the third."""
    assert merge(first, second, third) == merge(merge(first, second), third)


@given(FACTS, FACTS)
def test_later_layers_override(first: Any, second: Any) -> None:
    """The result has all values of the later layer, and those of the earlier one that are not overridden."""
    both = merge(first, second)
    for path, value in leaves(second).items():
        assert value in (look_up(both, ".".join(path)), {})
    for path, value in leaves(first).items():
        related = any(path[: len(other)] == other or other[: len(path)] == path for other in leaves(second))
        if not related:
            assert look_up(both, ".".join(path)) == value
    assert set(leaves(both)) <= set(leaves(first)) | set(leaves(second))


@given(FACTS, FACTS)
def test_merge_copies(first: Any, second: Any) -> None:
    """Changing the result at any depth does not change the layers."""
    before = deepcopy((first, second))
    both = merge(first, second)

    def spoil(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                spoil(item)
            value["spoiled"] = True
        elif isinstance(value, list):
            value.append("spoiled")

    spoil(both)
    assert (first, second) == before


@given(FACTS)
def test_look_up_every_path(facts: Any) -> None:
    """Each key at each level is found by its path, and no other value has changed."""
    for path, value in leaves(facts).items():
        for depth in range(1, len(path) + 1):
            assert has_value(facts, ".".join(path[:depth]), look_up(facts, ".".join(path[:depth])))
        assert look_up(facts, ".".join(path)) == value
        assert not has_value(facts, ".".join(path), object())
    assert look_up(facts, None) == facts == deep_copy(facts)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("databse", "there is no 'databse' in the facts (the nearest are 'database', 'cache')"),
        ("database.prot", "there is no 'database.prot' in the facts (the nearest are 'database.port')"),
        ("database.port.x", "there is no 'database.port.x' in the facts (the nearest are 'database.port')"),
        ("", "there is no '' in the facts (the nearest are 'cache', 'database')"),
    ],
)
def test_missing_path(path: str, message: str) -> None:
    """The error names the missing path and the existing keys at that level, the most similar ones first."""
    with pytest.raises(GroupNotFound) as caught:
        look_up({"database": {"port": "secret"}, "cache": {}}, path)
    assert str(caught.value) == message


def test_missing_path_without_facts() -> None:
    """Without any facts, the error says that there are none."""
    with pytest.raises(GroupNotFound, match=r"there is no 'x' in the facts \(there are none\)"):
        look_up({}, "x")


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ([], "expected a mapping, not a value of type list"),
        (None, "expected a mapping, not nothing"),
        ({"a": {1: 2}}, "keys must be strings, not int: 1 below a"),
        ({None: 2}, "keys must be strings, not NoneType: None below the top"),
        ({"a": [{"b": {2: 1}}]}, "keys must be strings, not int: 2 below a.b"),
    ],
)
def test_invalid_facts(facts: object, problem: str) -> None:
    """A value that is not a nested mapping with string keys is described by its place, not by its content."""
    assert find_problem(facts) == problem


def test_recursive_facts() -> None:
    """Facts that contain themselves are rejected."""
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert find_problem(endless) == "it has more than 100 levels"


@given(FACTS)
def test_environment_round_trip(facts: Any) -> None:
    """Nested strings that are written to environment variables are read back unchanged."""
    texts = {path: str(value) for path, value in leaves(facts).items() if value != {}}
    variables = {"APP_" + "__".join(path).upper(): text for path, text in texts.items()}
    parsed = parse_variables({**variables, "OTHER": "1"}, "APP_", "__")[0]
    assert leaves(parsed) == texts


@given(st.dictionaries(st.text("AB_", max_size=6).map("F_".__add__), st.text(max_size=2), max_size=4))
def test_no_variable_is_lost(variables: dict[str, str]) -> None:
    """For any names, either every variable is in the facts, or the error names one of them."""
    try:
        facts = parse_variables(variables, "F_", "__")[0]
    except GrantError as caught:
        error = str(caught)
    else:
        error = ""
        assert sorted(leaves(facts).values()) == sorted(variables.values())
    assert not error or any(name in error for name in variables)
