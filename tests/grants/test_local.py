import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import GrantError
from heksherlite.grants import EnvGrant, HardGrant
from heksherlite.grants.facts import look_up
from heksherlite.grants.nested_names import parse_variables
from tests.grants.loads import loaded


def test_groups_from_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are split at the delimiter, keys are in lower case, and values are unchanged."""
    monkeypatch.setenv("FAKTS_DATABASE__HOST", "Db.Local")
    monkeypatch.setenv("FAKTS_DATABASE__POOL__SIZE", "5")
    monkeypatch.setenv("FAKTS_NAME", "")
    monkeypatch.setenv("OTHER", "x")
    assert loaded(EnvGrant()) == {"database": {"host": "Db.Local", "pool": {"size": "5"}}, "name": ""}


def test_prefix_and_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefix and delimiter can be chosen; the prefix is case-sensitive."""
    monkeypatch.setenv("APP.DB.HOST", "h")
    monkeypatch.setenv("app.db.host", "other")
    assert loaded(EnvGrant("APP.", ".")) == {"db": {"host": "h"}}


@pytest.mark.parametrize("names", [["X_A", "X_A__B"], ["X_A__B", "X_A"], ["X_A", "X_A__B__C"]])
def test_value_and_group(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is both a value and a group is an error that names both variables, and no values."""
    for name in names:
        monkeypatch.setenv(name, "hunter2")
    with pytest.raises(GrantError) as caught:
        loaded(EnvGrant("X_"))
    assert all(name in str(caught.value) for name in names)
    assert "hunter2" not in str(caught.value)


def test_names_that_differ_only_in_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variables for one key are an error that names both."""
    monkeypatch.setenv("X_Key", "1")
    monkeypatch.setenv("X_KEY", "2")
    with pytest.raises(GrantError, match="environment variables X_KEY and X_Key both set key"):
        loaded(EnvGrant("X_"))


@pytest.mark.parametrize("name", ["X_", "X_A__", "X___B", "X_A____B"])
def test_empty_keys(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an empty key is an error that gives the expected form."""
    monkeypatch.setenv(name, "1")
    with pytest.raises(GrantError, match=rf"{name} has an empty key; the expected form is X_GROUP__KEY"):
        loaded(EnvGrant("X_"))


def test_no_variables() -> None:
    """Without any variable the grant fails, unless required is false."""
    with pytest.raises(GrantError, match="no environment variable starts with 'NOT_SET_'"):
        loaded(EnvGrant("NOT_SET_"))
    assert loaded(EnvGrant("NOT_SET_", required=False)) == {}


def test_empty_delimiter() -> None:
    """An empty delimiter is rejected."""
    with pytest.raises(ValueError, match="delimiter"):
        EnvGrant(delimiter="")


def test_hard_grant() -> None:
    """Changing the loaded facts does not change the constants, and the repr contains no values."""
    grant = HardGrant({"database": {"password": "hunter2"}})
    loaded(grant)["database"].clear()
    assert loaded(grant) == {"database": {"password": "hunter2"}}
    assert repr(grant) == "HardGrant(groups=['database'])"


def test_an_empty_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a prefix, names of other programs that are malformed or contradictory are not an error."""
    foreign = {
        "__CF_USER_TEXT_ENCODING": "0x0",
        "A": "value",
        "A__B": "b",
        "A__B__C": "c",
        "http_proxy": "x",
        "__": "x",
    }
    for name, value in {**foreign, "HTTP_PROXY": "y", "DATABASE__HOST": "db"}.items():
        monkeypatch.setenv(name, value)
    facts = loaded(EnvGrant(prepend=""))
    assert facts["database"] == {"host": "db"}
    assert facts["a"] == {"b": {"c": "c"}}
    assert facts["http_proxy"] == "y"


@given(st.dictionaries(st.text(alphabet="aAbB_", min_size=1, max_size=8), st.text(max_size=3)))
def test_an_empty_prefix_with_any_names(variables: dict[str, str]) -> None:
    """Without a prefix, no names of variables are an error, and each well-formed key has a value or is a group."""
    facts = parse_variables(variables, "", "__")[0]
    for name in variables:
        keys = name.lower().split("__")
        assert not all(keys) or look_up(facts, ".".join(keys)) is not None
