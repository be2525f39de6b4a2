"""Conversion of texts, such as those of environment variables, to the types of fields."""

import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, Literal, Optional
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import FactsShapeError
from heksherlite.grants import EnvGrant, Fakts, HardGrant

IDENTIFIER = "12345678-1234-5678-1234-567812345678"


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Number(IntEnum):
    ONE = 1
    TWO = 2


@dataclass
class Pool:
    size: int
    hosts: list[str] = field(default_factory=list)


def read(type_: Any, value: Any) -> Any:
    """Return a value as a field of a type."""
    group = make_dataclass("Group", [("key", type_)])
    result: Any = Fakts(HardGrant({"group": {"key": value}})).get("group", into=group)
    return result.key


def read_by_pydantic(type_: Any, value: Any) -> Any:
    """Return a value as a field of a pydantic model."""
    model = pydantic.create_model("Group", key=(type_, ...))
    result: Any = Fakts(HardGrant({"group": {"key": value}})).get("group", into=model)
    return result.key


LISTS: list[tuple[Any, Any, Any]] = [
    (list[str], "a,b", ["a", "b"]),
    (list[str], " a , b ", ["a", "b"]),
    (list[str], "ab", ["ab"]),
    (list[str], "", []),
    (list[str], '["a", "b,c"]', ["a", "b,c"]),
    (list[str], {"0": "a", "1": "b"}, ["a", "b"]),
    (list[int], "12", [12]),
    (list[int], "1,2", [1, 2]),
    (list[int], "[1, 2]", [1, 2]),
    (set[str], "a,b", {"a", "b"}),
    (frozenset[str], "a,b", frozenset({"a", "b"})),
    (tuple[int, ...], "1,2,3", (1, 2, 3)),
    (tuple[str, int], "a,2", ("a", 2)),
    (deque[int], "1,2", deque([1, 2])),
    (Sequence[str], "a,b", ["a", "b"]),
    (list[Pool], '[{"size": 1, "hosts": "a,b"}]', [Pool(1, ["a", "b"])]),
    (list[list[int]], "[[1], [2]]", [[1], [2]]),
    (list[str] | None, "a,b", ["a", "b"]),
    (dict[str, int], '{"a": "1"}', {"a": 1}),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (Mapping[str, list[int]], {"a": "1,2"}, {"a": [1, 2]}),
    (Pool, '{"size": "1"}', Pool(1)),
]


@pytest.mark.parametrize(("type_", "value", "expected"), LISTS)
def test_collections(type_: Any, value: Any, expected: Any) -> None:
    """A text is a list only in the documented notation, and never a sequence of characters."""
    assert read(type_, value) == expected


@pytest.mark.parametrize(("type_", "value", "expected"), [case for case in LISTS if case[0] not in (list[Pool], Pool)])
def test_collections_by_pydantic(type_: Any, value: Any, expected: Any) -> None:
    """Pydantic models accept the same notation."""
    assert read_by_pydantic(type_, value) == expected


def test_nested_pydantic_models() -> None:
    """The notation works in nested pydantic models."""
    inner = pydantic.create_model("Inner", hosts=(list[str], ...))
    assert read_by_pydantic(inner | None, {"hosts": "a,b"}).hosts == ["a", "b"]


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists in environment variables are in the documented notation, or numbered."""
    for name, value in {"HOSTS": "a,b", "PORTS": "[1, 2]", "TAGS__0": "x", "TAGS__1": "y"}.items():
        monkeypatch.setenv(f"FAKTS_APP__{name}", value)
    group = make_dataclass("Group", [("hosts", list[str]), ("ports", tuple[int, ...]), ("tags", set[str])])
    assert Fakts(EnvGrant()).get("app", into=group) == group(["a", "b"], (1, 2), {"x", "y"})


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (list[str], "a,,b", 'in a text, a list is written as a,b,c or as JSON: ["a", "b", "c"]'),
        (list[str], "a,", "expected a list without empty items"),
        (list[str], '["a"', "expected a list; in a text, a list is written as a,b,c or as JSON"),
        (list[str], '{"a": 1}', "expected a list; in a text"),
        (list[str], {"a": 1}, "expected a list, not a mapping"),
        (list[str], {"1": "a"}, "expected a list, not a mapping"),
        (list[str], {}, "expected a list, not a mapping"),
        (list[str], 5, "expected a list, not a value of type int"),
        (list[str], None, "expected a list, not nothing"),
        (tuple[int, int], "1,2,3", "expected a list of 2 items, not of 3"),
        (dict[str, str], "a=b", 'in a text, a mapping is written as JSON: {"key": "value"}'),
        (Pool, "x", "in a text, a mapping is written as JSON"),
    ],
)
def test_invalid_collections(type_: Any, value: Any, reason: str) -> None:
    """The error shows the notation."""
    with pytest.raises(FactsShapeError) as caught:
        read(type_, value)
    assert reason in caught.value.problems["key"]


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (date, "2026-01-31", date(2026, 1, 31)),
        (date, date(2026, 1, 31), date(2026, 1, 31)),
        (datetime, "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (time, "12:30", time(12, 30)),
        (timedelta, "90", timedelta(seconds=90)),
        (timedelta, 1.5, timedelta(seconds=1.5)),
        (timedelta, "PT1H30M", timedelta(hours=1.5)),
        (timedelta, "P1DT0.5S", timedelta(days=1, seconds=0.5)),
        (Decimal, "0.1", Decimal("0.1")),
        (Decimal, 0.1, Decimal("0.1")),
        (UUID, IDENTIFIER, UUID(IDENTIFIER)),
        (Path, "/a/b", Path("/a/b")),
        (IPv4Address, "192.0.2.1", IPv4Address("192.0.2.1")),
        (IPv6Address, "::1", IPv6Address("::1")),
        (IPv6Network, "2001:db8::/32", IPv6Network("2001:db8::/32")),
        (Level, "low", Level.LOW),
        (Number, "2", Number.TWO),
        (Number, 2, Number.TWO),
        (Literal["a", 5], "5", 5),
        (int | str, "x", "x"),
        (int | str, 5, 5),
        (int | bool, "true", True),
        (int | None, "5", 5),
        (Optional[int], None, None),  # noqa: UP045 - the older form
        (date | int, "5", 5),
        (Any, [1], [1]),
    ],
)
def test_types(type_: Any, value: Any, expected: Any) -> None:
    """Fields can have all types that a text can be converted to."""
    found = read(type_, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (date, "hunter2", "expected a date such as 2026-01-31, not a value of type str"),
        (date, datetime(2026, 1, 31, tzinfo=UTC), "expected a date such as 2026-01-31, not a value of type datetime"),
        (datetime, "hunter2", "expected a date and time such as 2026-01-31T12:00:00Z, not a value of type str"),
        (timedelta, "hunter2", "expected a number of seconds, or a duration such as PT1H30M, not a value of type str"),
        (timedelta, "P", "expected a number of seconds, or a duration such as PT1H30M, not a value of type str"),
        (timedelta, "1e99", "expected a number of seconds, or a duration such as PT1H30M, not a value of type str"),
        (Decimal, "hunter2", "expected a number, not a value of type str"),
        (UUID, 5, "expected a UUID, not a value of type int"),
        (IPv4Address, "::1", "expected an IPv4 address, not a value of type str"),
        (Level, "hunter2", "expected one of 'low', 'high', not a value of type str"),
        (Literal["a", "b"], "hunter2", "expected one of 'a', 'b', not a value of type str"),
        (int | date, "hunter2", "expected int or date, not a value of type str"),
        (socket.socket, "hunter2", "its type cannot be converted from facts"),
    ],
)
def test_invalid_values(type_: Any, value: Any, reason: str) -> None:
    """The error says what is expected, and does not quote the value."""
    with pytest.raises(FactsShapeError) as caught:
        read(type_, value)
    assert caught.value.problems == {"key": reason}
    assert "hunter2" not in str(caught.value)


def test_all_paths() -> None:
    """The error lists the path of every malformed value at any depth."""
    group = make_dataclass("Group", [("a", list[int]), ("b", dict[str, Pool]), ("c", date), ("d", int | None)])
    facts = {"a": "1,x,2,y", "b": {"p": {"size": "z", "hosts": [5]}, "q": "no"}, "c": 1, "d": "x"}
    with pytest.raises(FactsShapeError) as caught:
        Fakts(HardGrant({"group": facts})).get("group", into=group)
    assert list(caught.value.problems) == ["a.1", "a.3", "b.p.size", "b.p.hosts.0", "b.q", "c", "d"]


def test_errors_of_the_program() -> None:
    """An exception of a constructor is an error of the facts, without the value."""

    @dataclass
    class Strict:
        size: int

        def __post_init__(self) -> None:
            raise RuntimeError(f"hunter2 {self.size}")

    with pytest.raises(FactsShapeError, match=r"it does not fit \(RuntimeError\)") as caught:
        Fakts(HardGrant({"group": {"size": 5}})).get("group", into=Strict)
    assert "hunter2" not in str(caught.value)


TYPES: list[Any] = [case[0] for case in LISTS] + [date, timedelta, Decimal, UUID, Level, Number, int | date | None]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("01ab"), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(TYPES), values)
def test_arbitrary_values(type_: Any, value: Any) -> None:
    """Any value is converted, or raises nothing but a FactsShapeError."""
    for reader in (read, read_by_pydantic):
        with suppress(FactsShapeError):
            reader(type_, value)
