"""Keys whose spelling is not known take that of other layers."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import GrantError
from heksherlite.grants import EnvGrant, Fakts, HardGrant, ParallelGrant, SecretsDirGrant
from heksherlite.grants.facts import merge
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.spelling import LooseKey
from tests.grants.loads import loaded


def merged(*layers: dict[str, Any]) -> LayeredFacts:
    return LayeredFacts(Layer(source=str(number), facts=facts) for number, facts in enumerate(layers))


@pytest.mark.parametrize("key", ["poolSize", "pool-size", "pool_size", "POOL_SIZE", "PoolSize"])
@pytest.mark.parametrize("variable", ["FAKTS_DATABASE__POOL_SIZE", "FAKTS_DATABASE__POOLSIZE"])
def test_the_environment_overrides_any_spelling(key: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable overrides the key of a file whatever its case, hyphens and underscores, and explain agrees."""
    monkeypatch.setenv(variable, "20")
    fakts = Fakts(ParallelGrant([HardGrant({"Database": {key: 5, "host": "a"}}), EnvGrant()]))
    assert fakts.get() == {"Database": {key: "20", "host": "a"}}
    (values,) = fakts.explain(f"Database.{key}").values.values()
    assert next(iter(values)).source == f"environment variable {variable}"
    assert [value.value for value in values] == ["20", 5]


def test_a_later_layer_gives_the_spelling_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that overrides the environment overrides the same key."""
    monkeypatch.setenv("FAKTS_DATABASE__POOL_SIZE", "20")
    assert loaded(ParallelGrant([EnvGrant(), HardGrant({"database": {"poolSize": 5}})])) == {
        "database": {"poolSize": 5}
    }


def test_layers_without_a_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers that do not know the spelling mean the same key."""
    (tmp_path / "database__pool-size").write_text("7\n")
    monkeypatch.setenv("FAKTS_DATABASE__POOL_SIZE", "20")
    facts = Fakts(ParallelGrant([SecretsDirGrant(tmp_path), EnvGrant()])).get()
    assert facts == {"database": {"pool-size": "20"}}
    assert {type(key) for key in (*facts, *facts["database"])} == {str}


def test_an_exact_key_wins() -> None:
    """A key that is written exactly like that is meant, whatever else is alike."""
    assert merged({"pool_size": 1, "poolSize": 2}, {LooseKey("pool_size"): 3}) == {"pool_size": 3, "poolSize": 2}


def test_ambiguous_keys() -> None:
    """A key that could stand for several ones is an error that names them, and so are two keys for one."""
    with pytest.raises(GrantError, match=r"^a\.poolsize could stand for a\.poolSize or a\.pool-size$"):
        merged({"a": {"poolSize": 1, "pool-size": 2}}, {"a": {LooseKey("poolsize"): 3}})
    with pytest.raises(GrantError, match=r"^both a\.foo_bar and a\.foobar stand for a\.fooBar$"):
        merged({"a": {"fooBar": 1}}, {"a": {LooseKey("foo_bar"): 1, LooseKey("foobar"): 2}})


def test_keys_of_one_layer_are_different() -> None:
    """Without another layer, keys that are alike are two keys."""
    facts: dict[str, Any] = {LooseKey("foo_bar"): 1, LooseKey("foobar"): 2}
    assert merged(facts) == facts


_FACTS = st.recursive(
    st.integers(),
    lambda values: st.dictionaries(st.sampled_from(["a", "b", "ab", "a_b"]), values, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["x", "y"]), _FACTS), max_size=4))
def test_layers_that_know_their_spelling_merge_as_before(layers: list[dict[str, Any]]) -> None:
    """Without loose keys, layers are merged exactly, however alike their keys are."""
    assert merged(*layers) == merge(*layers)


def _loose(value: Any) -> Any:
    return {LooseKey(key.upper()): _loose(item) for key, item in value.items()} if isinstance(value, dict) else value


_UNLIKE = st.recursive(
    st.integers(), lambda values: st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3), max_leaves=8
)


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from(["x", "y"]), _UNLIKE), st.booleans()), max_size=4))
def test_loose_layers_merge_like_others(layers: list[tuple[dict[str, Any], bool]]) -> None:
    """If no keys are alike, layers with and without known spelling merge as if all of them knew it."""
    given_layers = [_loose(facts) if is_loose else facts for facts, is_loose in layers]

    def lower(value: Any) -> Any:
        return {key.lower(): lower(item) for key, item in value.items()} if isinstance(value, dict) else value

    assert lower(merged(*given_layers)) == merge(*(facts for facts, _ in layers))
