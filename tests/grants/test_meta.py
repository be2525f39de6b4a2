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


def test_the_first_that_succeeds(log: Log) -> None:
    """Those after it are not asked; those before it are in the log, at WARNING and without traceback."""
    last = Counting()
    assert loaded(FailsafeGrant([Failing("one"), ONE, last])) == ONE.values
    assert last.requests == []
    record = log.one("grant failed")
    assert (record["levelno"], record["grant"], record["reason"]) == (logging.WARNING, "Failing('one')", "one")
    assert record["exc_info"] is None


def test_all_fail() -> None:
    """One error holds what each grant raised, in order, and says it."""
    with pytest.raises(GrantError) as caught:
        loaded(FailsafeGrant([Failing("one"), FailsafeGrant([Failing("two"), Failing("three")])]))
    first, second = caught.value.causes
    assert isinstance(second, GrantError)
    assert [str(cause) for cause in (first, *second.causes)] == ["one", "two", "three"]
    assert str(caught.value) == ("all 2 grants failed:\n  - one\n  - all 2 grants failed:\n    - two\n    - three")


def test_wrong_shapes_are_failures() -> None:
    """A grant that gives something else than facts counts as failed; its values are not shown."""
    assert loaded(FailsafeGrant([no_facts, ONE])) == ONE.values
    with pytest.raises(GrantError) as caught:
        loaded(FailsafeGrant([no_facts]))
    assert "no_facts returned invalid facts: expected a mapping, not a value of type list" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_mistakes_are_not_hidden(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """Another exception than a GrantError goes through as it is, and not in a group."""
    with pytest.raises(ZeroDivisionError):
        loaded(meta([broken, ONE]))


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_what_is_no_grant(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """No grants at all, classes and other objects are refused at once."""
    with pytest.raises(ValueError, match=f"{meta.__name__} needs at least one grant"):
        meta([])
    with pytest.raises(TypeError, match=r"did you mean HardGrant\(\)"):
        meta([HardGrant])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="expected an object with a method aload, or an asynchronous function, not int"):
        meta([1])  # type: ignore[list-item]


def test_layers(log: Log) -> None:
    """Facts of all are merged deeply, later grants win, and the grants are left as they were."""
    assert loaded(ParallelGrant([ONE, TWO])) == {"a": {"x": 1, "y": 2}, "b": {}}
    assert loaded(ParallelGrant([TWO, ONE])) == {"a": {"x": 1, "y": 1}, "b": {}}
    assert ONE.values == {"a": {"x": 1, "y": 1}}
    assert log.caplog.records == []


def test_all_at_once() -> None:
    """Grants are asked side by side: each sees that the others were asked before it answers."""
    grants = [Counting() for _ in range(3)]

    async def releases(_: LoadRequest) -> Facts:
        for grant in grants:
            grant.held.set()
        return {}

    for grant in grants:
        grant.held.clear()
    loaded(ParallelGrant([*grants, releases]))
    assert [len(grant.requests) for grant in grants] == [1, 1, 1]


def test_one_of_several_fails() -> None:
    """Without omit_exceptions the error holds every cause."""
    with pytest.raises(GrantError) as caught:
        loaded(ParallelGrant([Failing("one"), ONE, Failing("two")]))
    assert str(caught.value) == "2 of 3 grants failed:\n  - one\n  - two"


def test_failures_are_left_out(log: Log) -> None:
    """With omit_exceptions they cost a warning each; unless all fail."""
    assert loaded(ParallelGrant([Failing("one"), ONE], omit_exceptions=True)) == ONE.values
    assert log.one("grant failed")["reason"] == "one"
    with pytest.raises(GrantError, match="2 of 2 grants failed"):
        loaded(ParallelGrant([Failing("one"), Failing("two")], omit_exceptions=True))


@pytest.mark.parametrize("meta", [FailsafeGrant, ParallelGrant])
def test_refreshes_go_through(meta: type[FailsafeGrant | ParallelGrant]) -> None:
    """Whether kept facts will not do is said to the inner grants."""
    inner = Counting()
    loaded(meta([inner]), force_refresh=True)
    loaded(meta([inner]))
    assert [request.force_refresh for request in inner.requests] == [True, False]
