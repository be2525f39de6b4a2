"""Settings of times, literals, optional values and objects: their conversion, and what a mistake in them says."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from annotated_types import Ge, Interval, Len, Lt, MinLen, MultipleOf, Predicate, doc

from heksherlite import HeksherModel, Rule, Setting, SyncStubHeksherClient, Unit, setting_type
from heksherlite.values.value_types import whole_schema

T = TypeVar("T")


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    name: str


@attrs.frozen
class Login:
    user: str
    tries: int = 3


@dataclass(frozen=True)
class Retry:
    """How often and how long to try again."""

    attempts: Annotated[int, Ge(1), doc("the most attempts")] = 3
    wait: timedelta = timedelta(seconds=1)


@dataclass(frozen=True)
class Pool:
    hosts: Annotated[Sequence[Annotated[str, MinLen(1)]], MinLen(1)] = ("a",)
    retry: Retry = field(default_factory=Retry)
    mode: Mode = Mode.SAFE
    size: Annotated[int, Interval(ge=1, lt=100), MultipleOf(2)] = 2
    weights: Mapping[str, Decimal] = field(default_factory=dict)
    fallback: Retry | None = None
    level: Literal["low", 1, None] = "low"  # noqa: PYI061 - one type on the wire


class Model(pydantic.BaseModel, frozen=True):
    hosts: tuple[Annotated[str, pydantic.Field(min_length=1)], ...] = ("a",)
    port: int = pydantic.Field(default=80, ge=1, description="where it listens")


class Struct(msgspec.Struct, frozen=True):
    hosts: tuple[str, ...] = ("a",)
    port: Annotated[int, msgspec.Meta(ge=1)] = 80


@pytest.mark.parametrize(
    ("type_", "wire_type", "value", "raw_value"),
    [
        (Literal["a", 1, None], 'Enum["a",1,null]', 1, 1),  # noqa: PYI061
        (timedelta, "float", timedelta(milliseconds=1500), 1.5),
        (Annotated[timedelta, Unit("ms")], "float", timedelta(seconds=2), 2000),
        (datetime, "str", datetime(2030, 1, 2, 3, 4, tzinfo=UTC), "2030-01-02T03:04:00Z"),
        (date, "str", date(2030, 1, 2), "2030-01-02"),
        (time, "str", time(3, 4), "03:04:00"),
        (Decimal, "str", Decimal("1.50"), "1.50"),
        (UUID, "str", UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Path, "str", Path("a/b"), "a/b"),
        (IPv4Address, "str", IPv4Address("10.0.0.1"), "10.0.0.1"),
        (IPv6Network, "str", IPv6Network("fe80::/10"), "fe80::/10"),
        (int | None, "Json", None, None),
        (Sequence[timedelta], "Sequence<float>", (timedelta(seconds=1),), [1]),
        (Mapping[str, Retry], "Mapping<Json>", {"a": Retry(5)}, {"a": {"attempts": 5, "wait": 1}}),
        (Any, "Json", {"a": (1, None)}, {"a": [1, None]}),
        (Point, "Json", Point(1, 2), {"x": 1, "y": 2}),
        (Options, "Json", {"name": "a"}, {"name": "a"}),
        (Login, "Json", Login("a"), {"user": "a", "tries": 3}),
        (Model, "Json", Model(port=5), {"hosts": ["a"], "port": 5}),
        (Struct, "Json", Struct(port=5), {"hosts": ["a"], "port": 5}),
        (Annotated[str, pydantic.Field(pattern="^a+$")], "str", "aa", "aa"),
    ],
)
def test_types_and_values(type_: Any, wire_type: str, value: Any, raw_value: Any) -> None:
    """Each type has its wire type, and a value comes back equal; its default is what `get` returns."""
    setting: Setting[Any] = Setting("x", type_, ["user"], value)
    body = setting.to_v1_declaration_body()
    assert (body["type"], body["default_value"]) == (wire_type, raw_value)
    assert setting.type.convert_from_heksher(raw_value) == (value, ())
    assert setting.get(user="a") == value
    assert type(setting.get(user="a")) in {type(value), tuple, type(setting.default_value)}


def test_the_schema_is_declared_and_copied_into_the_metadata() -> None:
    """A service that knows no schemas keeps the copy. Metadata of the program under that key stays."""
    schema = {"minimum": 1, "unit": "ms"}
    setting = Setting("x", setting_type(Annotated[int, Ge(1), Unit("ms")]), ["user"], 5, metadata={"owner": "me"})
    body = setting.to_v1_declaration_body()
    assert (body["schema"], body["metadata"]) == (schema, {"owner": "me", "schema": schema})
    own = Setting("x", setting_type(Annotated[int, Ge(1)]), ["user"], 5, metadata={"schema": 1})
    assert own.to_v1_declaration_body()["metadata"] == {"schema": 1}
    assert "schema" not in Setting("x", int, ["user"], 5).to_v1_declaration_body()


def test_the_schema_of_an_object() -> None:
    """It has properties with defaults and descriptions, what is required, and no other keys."""
    assert setting_type(Retry).json_schema() == {
        "type": "object",
        "title": "Retry",
        "description": "How often and how long to try again.",
        "properties": {
            "attempts": {"type": "integer", "minimum": 1, "description": "the most attempts", "default": 3},
            "wait": {**whole_schema(setting_type(timedelta)), "default": 1},
        },
        "required": [],
        "additionalProperties": False,
    }
    assert whole_schema(setting_type(Login))["required"] == ["user"]
    assert whole_schema(setting_type(Model))["additionalProperties"] is False


@pytest.mark.parametrize(
    ("type_", "raw_value", "message"),
    [
        (Pool, {"hosts": ["a", "b", ""]}, "$.hosts[2]: value '' must have at least 1 characters"),
        (Pool, {"hosts": []}, "$.hosts: value [] must have at least 1 items"),
        (Pool, {"size": 3, "x": 1}, "$.x: Pool has no such field; $.size: value 3 must be a multiple of 2"),
        (Pool, {"size": 100}, "$.size: value 100 must be less than 100"),
        (Pool, {"retry": {"attempts": 0.5}}, "$.retry.attempts: value 0.5 is not of type int"),
        (Pool, {"fallback": {"wait": "1"}}, "$.fallback.wait: value '1' is not a number of s"),
        (Pool, {"weights": {"a b": "x"}}, "$.weights[\"a b\"]: value 'x' is not a Decimal: expected a decimal"),
        (Pool, {"mode": "slow"}, "$.mode: value is not a valid enum member"),
        (Pool, [], "$: value [] is not an object"),
        (Login, {}, "$.user: is missing"),
        (Point, {"x": True}, "$.x: value True is not of type int"),
        (Options, {"name": 5}, "$.name: value 5 is not of type str"),
        (Model, {"hosts": ["a", ""]}, "$.hosts[1]: String should have at least 1 character"),
        (Model, {"port": "80"}, "$.port: Input should be a valid integer"),
        (Model, {"prot": 80}, "$.prot: is not a known key"),
        (Struct, {"hosts": ["a", 5]}, "$.hosts[1]: Expected `str`, got `int`"),
        (Struct, {"prot": 80}, "$.prot: is not a known key"),
        (datetime, "2030-01-02T03:04:00", "expected a time with an offset"),
        (date, "2030-02-30", "is not a date: day is out of range"),
        (timedelta, 1e300, "is too long for a duration"),
        (Literal["a"], "b", "value 'b' is not one of 'a'"),
        (Annotated[str, pydantic.Field(pattern="^a$")], "a\n", "must match ^a$"),
        (Annotated[int, Predicate(str.isdigit)], 5, "descriptor 'isdigit'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(type_: Any, raw_value: Any, message: str) -> None:
    """The error names the part that is wrong, and what would be right."""
    with pytest.raises(TypeError) as caught:
        setting_type(type_).convert_from_heksher(raw_value)
    assert message in str(caught.value)


class Ignoring(pydantic.BaseModel, extra="ignore"):
    port: int = 80


class Allowing(pydantic.BaseModel, extra="allow"):
    port: int = 80


@dataclass
class Outer:
    inner: Retry = field(default_factory=Retry)


def test_unknown_keys_are_dropped_if_the_type_says_so() -> None:
    """Each dropped key is a coercion with its path; the schema does not forbid them either."""
    assert setting_type(Ignoring).convert_from_heksher({"port": 1, "x": 2}) == (
        Ignoring(port=1),
        ("$.x: is not a known key",),
    )
    allowed = setting_type(Allowing).convert_from_heksher({"x": 2})
    assert (allowed.value.model_extra, allowed.coercions) == ({"x": 2}, ())
    lenient = HeksherModel(Outer, forbid_extra_keys=False)
    assert lenient.convert_from_heksher({"y": 1, "inner": {"x": 1, "attempts": 2}}) == (
        Outer(Retry(2)),
        ("$.y: Outer has no such field", "$.inner.x: Retry has no such field"),
    )
    assert "additionalProperties" not in str(lenient.json_schema())
    with pytest.raises(TypeError, match=r"\$.inner.attempts"):
        lenient.convert_from_heksher({"y": 1, "inner": {"attempts": 0}})


def test_whole_numbers_are_integers_in_every_library() -> None:
    """JSON does not tell 5.0 from 5."""
    for type_ in (Pool, Login, Point, Model, Struct):
        schema = setting_type(type_)
        name = {Pool: "size", Login: "tries", Point: "x"}.get(type_, "port")
        raw_value = {name: 4.0, **({"user": "a"} if type_ is Login else {})}
        value = getattr(schema.convert_from_heksher(raw_value).value, name)
        assert (value, type(value)) == (4, int)


@dataclass
class Recursive:
    child: "Recursive | None" = None


@dataclass
class Undefined:
    child: "NotDefined" = None  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class WithBox:
    box: Box[int]


@dataclass
class WrongDefault:
    size: Annotated[int, Ge(1)] = 0


@dataclass
class Unserializable:
    names: set[str] = field(default_factory=set)


@dataclass
class Naive:
    at: datetime = datetime(2030, 1, 1)  # noqa: DTZ001 - that is the mistake


class RecursiveModel(pydantic.BaseModel):
    child: "RecursiveModel | None" = None


class Secret(pydantic.BaseModel):
    password: pydantic.SecretStr = pydantic.SecretStr("x")


@pytest.mark.parametrize(
    ("type_", "default", "message"),
    [
        (Recursive, Recursive(), "field 'child' of Recursive: Recursive has itself in a field"),
        (Undefined, Undefined(), "field 'child' of Undefined has a type that is not defined"),
        (Box, Box(1), "Box is generic: the type of its field 'content' is not known"),
        (WithBox, WithBox(Box(1)), "field 'box' of WithBox: "),
        (WrongDefault, WrongDefault(5), "field 'size' of WrongDefault: value 0 must be at least 1"),
        (Unserializable, Unserializable(), "field 'names' of Unserializable: set.str. cannot be the type"),
        (Naive, Naive(), "field 'at' of Naive: .* has no time zone"),
        (RecursiveModel, RecursiveModel(), "RecursiveModel has itself in a field"),
        (Secret, Secret(), "is something else after it was sent"),
        (Pool, Pool(hosts=("a", "")), r"of setting 'x' .*\$\.hosts\[1\]: value '' must have at least 1"),
        (Pool, Retry(), r"of setting 'x' .*is not a Pool"),
        (Model, Model.model_construct(port=0), r"of setting 'x' .*\$\.port: Input should be greater"),
        (Annotated[int, Ge(1)], 0, "value 0 must be at least 1"),
        (Annotated[Decimal, Ge(1)], Decimal(1), "for numbers and timedelta only"),
        (Annotated[int, MinLen(1)], 1, "for texts, lists and mappings only"),
        (Annotated[str, pydantic.Field(pattern="(")], "a", "the pattern '\\(' is invalid"),
        (Annotated[timedelta, Unit("weeks")], timedelta(), "'weeks' is not a unit of time"),
        (Literal[b"a"], b"a", "in a Literal cannot be sent"),
        (Decimal, Decimal("nan"), "is not a number"),
        (timedelta, timedelta(days=99_999_999, microseconds=1), "is no exact number of s"),
        (Any, {1: 2}, "is not JSON"),
        (Options, {"nmae": "x"}, r"\$\.nmae: Options has no such field"),
        (Sequence[Options], [{}, {"name": "x", 1: 2}], r"\[1\].*: Options has no such field"),
        (HeksherModel(Options, forbid_extra_keys=False), {"nmae": "x"}, r"\$\.nmae: Options has no such field"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_written(type_: Any, default: Any, message: str) -> None:
    """The error names the field, and comes before anything is sent."""
    with pytest.raises(TypeError, match=message):
        Setting("x", type_, ["user"], default)


def test_stubs_and_explanations_have_instances() -> None:
    """A test sets instances, alone or in rules, and an explanation shows them; a wrong one is refused."""
    setting = Setting("pool", Pool, ["user"], Pool())
    with SyncStubHeksherClient() as stub:
        stub[setting].rules = Pool(size=4)
        assert setting.get(user="a") == Pool(size=4)
        stub[setting].rules = [Rule({"user": "a"}, Pool(size=6))]
        assert setting.get(user="a").size == 6
        assert "size=6" in str(setting.explain(user="a"))
        with pytest.raises(TypeError, match=r"\$\.size: value 5 must be a multiple"):
            stub[setting].rules = Pool(size=5)
        point: Setting[Point] = Setting("point", Point, ["user"], Point(1))
        stub[point].rules = Point(2, 3)
        assert point.get(user="a") == Point(2, 3)
        texts = Setting("texts", Sequence[str], ["user"], ["a"])
        stub[texts].rules = []
        assert texts.get(user="a") == ()


def test_instances_are_frozen_and_shared() -> None:
    """Every reader gets the same instance, so the lists and mappings in it cannot be changed."""
    setting = Setting("pool", Pool, ["user"], Pool(weights={"a": Decimal(1)}))
    assert setting.get(user="a") is setting.get(user="b")
    with pytest.raises(FrozenInstanceError):
        setting.get(user="a").size = 5  # type: ignore[misc]
    with pytest.raises(TypeError, match="read-only"):
        setting.get(user="a").weights["a"] = Decimal(2)  # type: ignore[index]


def test_lengths_count_after_elements_were_dropped() -> None:
    """An element that does not convert is dropped from a sequence, which must still be long enough."""
    type_ = setting_type(Annotated[Sequence[Annotated[int, Lt(5)]], Len(2)])
    assert type_.convert_from_heksher([1, 2, 9]).value == (1, 2)
    with pytest.raises(TypeError, match="must have at least 2 items"):
        type_.convert_from_heksher([1, 9])


def test_nothing_is_imported_before_it_is_needed() -> None:
    """A program without such types imports none of the libraries."""
    program = """
import sys
from collections.abc import Mapping, Sequence
from heksherlite import Setting
Setting("a", int, ["user"], 1); Setting("b", Mapping[str, Sequence[str]], ["user"], {})
slow = {"dataclasses", "inspect", "decimal", "uuid"}
libraries = {*slow, "attr", "cattrs", "pydantic", "msgspec", "jsonschema_rs", "annotated_types"}
print(sorted(libraries & {*sys.modules}))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "[]"
