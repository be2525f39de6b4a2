"""A start-up configuration as one object that is checked when it is loaded."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pydantic
import pytest

from heksherlite.errors import FactsShapeError, GroupNotFound
from heksherlite.grants import EnvGrant, Fakts, HardGrant, ParallelGrant, Secret, YamlGrant
from tests.grants.loads import Counting
from tests.grants.tracebacks import shown


@dataclass
class Database:
    host: str
    port: int
    password: Secret
    timeout: timedelta = timedelta(seconds=5)


@dataclass
class Settings:
    database: Database
    tags: list[str] = field(default_factory=list)


@attrs.define
class AttrsSettings:
    database: Database


class PydanticDatabase(pydantic.BaseModel):
    host: str
    port: int
    password: Secret


class PydanticSettings(pydantic.BaseModel):
    database: PydanticDatabase


FACTS: Any = {"database": {"host": "db", "port": "5432", "password": "hunter2"}}


@pytest.mark.parametrize("into", [Settings, AttrsSettings, PydanticSettings])
def test_typed_start(into: type[Any]) -> None:
    """All facts are one object of the class, whose secrets are not displayed."""
    fakts = Fakts(HardGrant(FACTS), into=into)
    settings = fakts.get()
    assert isinstance(settings, into)
    assert settings.database.port == 5432
    assert settings.database.password.reveal() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings} {settings.database.password}"
    assert fakts.get() is settings
    assert fakts.get("database.host") == "db"


def test_all_errors_of_a_start_with_their_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error lists every value that does not fit, what is missing, and the variable or line of each."""
    file = tmp_path / "config.yaml"
    file.write_text("database:\n  host: [hunter2]\n  timeout: hunter3\n  password: hunter4\n")
    monkeypatch.setenv("FAKTS_DATABASE__PORT", "hunter5")
    fakts = Fakts(ParallelGrant([YamlGrant(file), EnvGrant()]), into=Settings, assert_groups={"mail"})
    with pytest.raises(FactsShapeError) as caught:
        fakts.load()
    error = str(caught.value)
    assert f"database.host: expected a string, not a value of type list ({file}, line 2)" in error
    assert f"or a duration such as PT1H30M, not a value of type str ({file}, line 3)" in error
    assert (
        "database.port: expected an integer, not a value of type str (environment variable FAKTS_DATABASE__PORT)"
        in error
    )
    assert "mail: it is missing" in error
    assert "hunter" not in error.replace(str(file), "")


def test_all_missing_groups() -> None:
    """The error for missing groups names all of them."""
    with pytest.raises(GroupNotFound, match=r"no 'a' .*these are missing too: b, c"):
        Fakts(HardGrant({"d": {}}), assert_groups={"a", "b", "c"}).load()


def test_a_failed_start_keeps_the_settings_from_before() -> None:
    """A reload that does not fit is an error, and the object from before stays."""
    grant = Counting(**FACTS)
    fakts = Fakts(grant, into=Settings)
    before = fakts.get()
    grant.facts = {"database": {}}
    with pytest.raises(FactsShapeError):
        fakts.refresh()
    assert fakts.get() is before


@pytest.mark.parametrize(
    ("into", "value", "expected"),
    [
        (int, "5", 5),
        (timedelta, "PT1M", timedelta(minutes=1)),
        (list[int], "1,2", [1, 2]),
        (list[int], [1, "2"], [1, 2]),
        (int | str, "x", "x"),
        (bool, "off", False),
        (dict[str, int], '{"a": "1"}', {"a": 1}),
    ],
)
def test_single_values(into: Any, value: object, expected: object) -> None:
    """A single value can be read as any type that a field can have."""
    assert Fakts(HardGrant({"a": {"b": value}})).get("a.b", into=into) == expected


def test_single_values_that_do_not_fit() -> None:
    """The error of a single value names its path, its source and what was expected."""
    fakts = Fakts(HardGrant({"a": {"b": "hunter2"}}), hard_fakts={"a": {"c": ["hunter2"]}})
    with pytest.raises(FactsShapeError, match=r"a\.b: expected an integer, not a value of type str \(HardGrant"):
        fakts.get("a.b", into=int)
    with pytest.raises(FactsShapeError, match=r"0: expected an integer, not a value of type str \(hard_fakts"):
        fakts.get("a.c", into=list[int])


def test_defaults() -> None:
    """A default replaces a value that does not exist, and nothing is loaded again for it."""
    grant = Counting(a={"b": "5"})
    fakts = Fakts(grant)
    assert fakts.get("a.c", default=3) == 3
    assert fakts.get("a.c", default=None, into=int) is None
    assert fakts.get("a.b", default=3, into=int) == 5
    assert len(grant.requests) == 1


@pytest.mark.anyio
async def test_defaults_in_asynchronous_code() -> None:
    """Defaults work in asynchronous code."""
    fakts = Fakts(HardGrant({"a": {"b": "5"}}))
    assert await fakts.aget("a.c", default=3) == 3
    assert await fakts.aget("a.b", default=3, into=int) == 5


def test_a_reload_for_a_missing_path_asks_nobody() -> None:
    """The load that a missing path causes may not ask a person; a load that the program requests may."""
    grant = Counting()
    fakts = Fakts(grant)
    with pytest.raises(GroupNotFound):
        fakts.get("missing")
    fakts.refresh()
    assert [(request.force_refresh, request.may_ask) for request in grant.requests] == [
        (False, True),
        (True, False),
        (True, True),
    ]


class Failing(pydantic.BaseModel):
    a: int

    @pydantic.field_validator("a")
    @classmethod
    def fail(cls, _: int) -> int:
        raise ZeroDivisionError("hunter2")


@dataclass
class FailingDataclass:
    a: int

    def __post_init__(self) -> None:
        raise ZeroDivisionError("hunter2")


@pytest.mark.parametrize("into", [Failing, FailingDataclass])
def test_exceptions_of_classes(into: type[Any]) -> None:
    """Whatever a class of the program raises becomes the one error, without its text, which may contain a value."""
    with pytest.raises(FactsShapeError, match=r"it does not fit \(ZeroDivisionError\)") as caught:
        Fakts(HardGrant({"a": 1}), into=into).load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("into", [Settings, AttrsSettings, PydanticSettings])
def test_no_secret_in_tracebacks(into: type[Any]) -> None:
    """A traceback with local variables, as error trackers record it, has no value that is known to be secret."""
    facts = {"database": {"host": "db", "port": "none", "password": "hunter2", "url": "a://me:hunter2@b"}}
    with pytest.raises(FactsShapeError) as caught:
        Fakts(Counting(**facts), into=into).load()
    assert "hunter2" not in shown(caught.value)
