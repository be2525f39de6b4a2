import logging

import pytest

from heksherlite.errors import GrantError
from heksherlite.grants import FailsafeGrant, HardGrant, LoadRequest, ParallelGrant
from heksherlite.grants.facts import Facts
from tests.grants.loads import Counting, Failing, loaded
from tests.sdk.conftest import Log

ONE = HardGrant({"a": {"x": 1, "y": 1}})
TWO = HardGrant({"a": {"y": 2}, "b": {}})


async def broken(_: LoadRequest) -> Facts:
    raise ZeroDivisionError


async def no_facts(_: LoadRequest) -> Facts:
    return ["hunter2"]  # type: ignore[return-value]


def test_first_success(log: Log) -> None:
    """Later grants are not called; earlier ones are logged at WARNING without a traceback."""
    last = Counting()
    assert loaded(FailsafeGrant([Failing("one"), ONE, last])) == ONE.values
    assert last.requests == []
    record = log.one("grant failed")
    assert (record["levelno"], record["grant"], record["reason"]) == (logging.WARNING, "Failing('one')", "one")
    assert record["exc_info"] is None


def test_all_fail() -> None:
    """One error contains the error of each grant, in order."""
    with pytest.raises(GrantError) as caught:
        loaded(FailsafeGrant([Failing("one"), FailsafeGrant([Failing("two"), Failing("three")])]))
    first, second = caught.value.causes
    assert isinstance(second, GrantError)
    assert [str(cause) for cause in (first, *second.causes)] == ["one", "two", "three"]
    assert str(caught.value) == ("all 2 grants failed:\n  - one\n  - all 2 grants failed:\n    - two\n    - three")


def test_invalid_facts() -> None:
    """A grant that returns invalid facts counts as failed, and its values are not displayed."""
    assert loaded(FailsafeGrant([no_facts, ONE])) == ONE.values
    with pytest.raises(GrantError) as caught:
        loaded(FailsafeGrant([no_facts]))
    assert "no_facts returned invalid facts: expected a mapping, not a value of type list" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_other_exceptions(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """An exception that is not a GrantError is raised unchanged, outside of an exception group."""
    with pytest.raises(ZeroDivisionError):
        loaded(meta([broken, ONE]))


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_invalid_arguments(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """An empty list, classes and other objects are rejected."""
    with pytest.raises(ValueError, match=f"{meta.__name__} needs at least one grant"):
        meta([])
    with pytest.raises(TypeError, match=r"did you mean HardGrant\(\)"):
        meta([HardGrant])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="expected an object with a method aload, or an asynchronous function, not int"):
        meta([1])  # type: ignore[list-item]


def test_layers(log: Log) -> None:
    """The facts of all grants are merged deeply, later grants override, and the facts of the grants are unchanged."""
    assert loaded(ParallelGrant([ONE, TWO])) == {"a": {"x": 1, "y": 2}, "b": {}}
    assert loaded(ParallelGrant([TWO, ONE])) == {"a": {"x": 1, "y": 1}, "b": {}}
    assert ONE.values == {"a": {"x": 1, "y": 1}}
    assert log.caplog.records == []


def test_concurrent_loads() -> None:
    """The grants load concurrently."""
    grants = [Counting() for _ in range(3)]

    async def releases(_: LoadRequest) -> Facts:
        for grant in grants:
            grant.held.set()
        return {}

    for grant in grants:
        grant.held.clear()
    loaded(ParallelGrant([*grants, releases]))
    assert [len(grant.requests) for grant in grants] == [1, 1, 1]


def test_one_failure() -> None:
    """Without omit_exceptions the error contains every cause."""
    with pytest.raises(GrantError) as caught:
        loaded(ParallelGrant([Failing("one"), ONE, Failing("two")]))
    assert str(caught.value) == "2 of 3 grants failed:\n  - one\n  - two"


def test_omit_exceptions(log: Log) -> None:
    """With omit_exceptions each failure is logged as a warning, unless all fail."""
    assert loaded(ParallelGrant([Failing("one"), ONE], omit_exceptions=True)) == ONE.values
    assert log.one("grant failed")["reason"] == "one"
    with pytest.raises(GrantError, match="2 of 2 grants failed"):
        loaded(ParallelGrant([Failing("one"), Failing("two")], omit_exceptions=True))


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_forced_refresh(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """A forced refresh is passed to the inner grants."""
    inner = Counting()
    loaded(meta([inner]), force_refresh=True)
    loaded(meta([inner]))
    assert [request.force_refresh for request in inner.requests] == [True, False]
