"""Conversion of groups to classes."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import attrs
import pydantic
import pytest

from heksherlite.errors import FactsShapeError
from heksherlite.grants import Fakts, HardGrant
from heksherlite.grants.values import LIST_NOTATION, MAPPING_NOTATION


@dataclass
class Pool:
    size: int
    warm: bool = False


@dataclass
class Database:
    host: str
    port: int
    timeout: float = 5.0
    pool: Pool | None = None
    replicas: list[str] = field(default_factory=list)


@attrs.define
class AttrsDatabase:
    host: str
    port: int
    pool: Pool


class PydanticDatabase(pydantic.BaseModel):
    host: str
    port: int
    pool: Pool


def read(into: type[Any], **group: Any) -> Any:
    """Return a group of constants as an object."""
    return Fakts(HardGrant({"database": group})).get("database", into=into)


def test_dataclasses() -> None:
    """A group is converted to a dataclass with nested ones; unknown keys are ignored."""
    found = read(Database, host="db", port=1, pool={"size": 2, "warm": True}, replicas=["a"], other="x")
    assert found == Database("db", 1, 5.0, Pool(2, True), ["a"])


@pytest.mark.parametrize("into", [AttrsDatabase, PydanticDatabase])
def test_attrs_and_pydantic(into: type[Any]) -> None:
    """Classes of attrs and pydantic models work as well."""
    assert read(into, host="db", port=1, pool={"size": 2}) == into(host="db", port=1, pool=Pool(2))


@pytest.mark.parametrize("into", [Database, AttrsDatabase, PydanticDatabase])
def test_strings(into: type[Any]) -> None:
    """Strings of the environment are converted to numbers and booleans."""
    found = read(into, host="db", port="5432", pool={"size": "2", "warm": "false"})
    assert (found.port, found.pool) == (5432, Pool(2, False))


@pytest.mark.parametrize("into", [Database, AttrsDatabase, PydanticDatabase])
def test_every_offending_key(into: type[Any]) -> None:
    """The error lists the path of every malformed value, and no values."""
    with pytest.raises(FactsShapeError) as caught:
        read(into, port="hunter2", pool={"size": None, "warm": "hunter3"})
    assert list(caught.value.problems) in (
        ["host", "port", "pool.size", "pool.warm"],
        ["host", "port", "pool"],
    )
    assert str(caught.value).startswith("group 'database' does not fit:\n  host: ")
    assert "hunter" not in str(caught.value)


def test_strict_types() -> None:
    """Numbers are not truncated, and booleans, numbers and strings are not confused."""
    for key, value, reason in [
        ("port", 1.5, "expected an integer, not a value of type float"),
        ("port", True, "expected an integer, not a value of type bool"),
        ("port", "1.5", "expected an integer, not a value of type str"),
        ("timeout", "soon", "expected a number, not a value of type str"),
        ("host", 5, "expected a string, not a value of type int"),
        ("host", None, "expected a string, not nothing"),
    ]:
        with pytest.raises(FactsShapeError) as caught:
            read(Database, **{"host": "db", "port": 1, key: value})
        assert caught.value.problems == {key: reason}


def test_value_instead_of_a_group() -> None:
    """A single value cannot be converted."""
    with pytest.raises(FactsShapeError, match="expected a mapping, not a value of type str"):
        Fakts(HardGrant({"database": "hunter2"})).get("database", into=Database)


@pytest.mark.parametrize("into", ["Database", lambda: None])
def test_unsupported_classes(into: Callable[..., Any]) -> None:
    """Anything but a type is a TypeError."""
    with pytest.raises(TypeError, match="into must be a type, such as a dataclass"):
        read(into)  # type: ignore[arg-type]


def test_without_the_extra() -> None:
    """Where cattrs is not installed, the error says what to install."""
    program = (
        "import sys\n"
        "sys.modules['cattrs'] = None\n"
        "from dataclasses import dataclass\n"
        "from heksherlite.grants import Fakts, HardGrant\n"
        "Fakts(HardGrant({})).get(into=dataclass(type('A', (), {})))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert "cattrs, which is not installed: pip install 'heksherlite[models]'" in result.stderr.splitlines()[-1]


class PydanticLists(pydantic.BaseModel):
    hosts: list[str] = []
    ports: set[int] = set()
    limits: dict[str, int] = {}


@dataclass
class Lists:
    hosts: list[str] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)


@pytest.mark.parametrize("into", [Lists, PydanticLists])
def test_texts_that_are_no_lists(into: type[Any]) -> None:
    """A text is never taken for a sequence of characters; the error shows how to write a list or mapping."""
    fakts = Fakts(HardGrant({"hosts": "a,b", "ports": "12", "limits": '{"a": 1}'}))
    assert fakts.get(into=into) == into(hosts=["a", "b"], ports={12}, limits={"a": 1})
    with pytest.raises(FactsShapeError) as caught:
        Fakts(HardGrant({"hosts": "[a", "ports": "{1", "limits": "a"})).get(into=into)
    assert caught.value.problems.keys() == {"hosts", "ports", "limits"}
    assert LIST_NOTATION in caught.value.problems["hosts"]
    assert LIST_NOTATION in caught.value.problems["ports"]
    assert MAPPING_NOTATION in caught.value.problems["limits"]


@pytest.mark.parametrize("text", ["1;2", "1 2", "1|2", "one"])
def test_other_notations_of_lists(text: str) -> None:
    """A text that is a list in no known notation is an error that shows the notations, at the key itself."""
    for type_ in (list[int], set[int], tuple[int, ...], list[timedelta]):
        with pytest.raises(FactsShapeError) as caught:
            Fakts(HardGrant({"a": text})).get("a", into=type_)
        (problem,) = caught.value.problems.values()
        assert set(caught.value.problems) == {"a"}
        assert problem.endswith(LIST_NOTATION)
