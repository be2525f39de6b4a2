"""The service accepts a value exactly if the clients convert it, and a value comes back as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Flag
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from annotated_types import Ge, Gt, Interval, Len, Lt, MultipleOf
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from heksherlite import Setting, ThreadHeksherClient, Unit, setting_type
from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.values.type_strings import parse_type
from heksherlite.values.value_types import whole_schema
from tests.sdk.test_values import Login, Mode, Model, Options, Point, Pool, Retry, Struct
from tests.service.api import FEATURES, Api


class Right(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Share:
    rights: Right = Right.READ


TYPES: list[Any] = [
    Literal["a", 1, True],
    timedelta,
    Annotated[timedelta, Unit("us"), Ge(timedelta(seconds=1))],
    datetime,
    date,
    time,
    Decimal,
    UUID,
    Path,
    IPv4Address,
    IPv6Address,
    IPv4Interface,
    IPv6Network,
    int | None,
    Annotated[float, Gt(0), Lt(1)],
    Annotated[int, Interval(ge=-2, le=3)],
    Annotated[float, MultipleOf(0.25)],
    Annotated[int, MultipleOf(3)],
    Annotated[str, Len(1, 2)],
    Annotated[str, pydantic.Field(pattern=r"^[a-c]+\d?$")],
    Annotated[Mapping[str, int], Len(1, 2)],
    Mapping[str, Literal["a"] | None],
    Mode | None,
    Share,
    Pool,
    Login,
    Point,
    Options,
    Model,
    Struct,
    Any,
]

TEXTS = st.sampled_from(
    [
        *(
            "",
            "a",
            "ab\n",
            "b1",
            "abc",
            "aé",
            "\U0001f600",
            "low",
            "fast",
            "1",
            "1.5",
            "-0",
            "+1",
            "1e5",
            "NaN",
            " 1",
            "1_0",
        ),
        *(
            "2030-01-02",
            "2030-02-30",
            "20300102",
            "2030-W01-1",
            "2030-01-02T03:04:05Z",
            "2030-01-02 03:04:05.123456+01:00",
        ),
        *(
            "2030-01-02T03:04:05",
            "2030-01-02T24:00:00Z",
            "2030-01-02T03:04:60Z",
            "2030-01-02T03:04Z",
            "2030-01-02t03:04:05z",
        ),
        *(
            "03:04",
            "03:04:05Z",
            "25:00",
            "3:04",
            "10.0.0.1",
            "10.0.0.01",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "::1",
            "fe80::/10",
            "fe80::1%eth0",
        ),
        *(str(UUID(int=7)), UUID(int=7).hex, "{" + str(UUID(int=7)) + "}", "\uff11", "2030-01-0\uff12"),
    ]
)
NUMBERS = st.sampled_from(
    [-3, -2.5, -1, -0.0, 0, 0.25, 0.3, 0.75, 1, 1.0, 2, 2.5, 3, 4, 100, 1e6, 86399999913600, 1e14, 1e300, 2**60]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
KEYS = st.sampled_from(
    ["a", "b", "x", "y", "hosts", "port", "size", "user", "tries", "name", "attempts", "wait", "mode", "rights"]
)
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2), max_leaves=4
)


def near(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that often satisfy a schema, and are often wrong in one part."""
    if "anyOf" in schema:
        return st.one_of([*map(near, schema["anyOf"]), JUNK])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | LEAVES
    strategies = {"string": TEXTS, "integer": NUMBERS, "number": NUMBERS}
    match schema.get("type"):
        case "array":
            return st.lists(near(schema.get("items", {})), max_size=3) | LEAVES
        case "object" if "properties" in schema:
            optional = {name: near(each) for name, each in schema["properties"].items()}
            others = st.dictionaries(KEYS, LEAVES, max_size=1)
            return st.builds(lambda known, other: {**other, **known}, _some_of(optional), st.just({}) | others)
        case "object":
            return st.dictionaries(KEYS, near(schema.get("additionalProperties", {})), max_size=3) | LEAVES
        case kind:
            return strategies.get(str(kind), JUNK) | LEAVES


def _some_of(fields: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict(fields))


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_the_service_accepts_what_the_client_converts(type_: Any) -> None:
    """A value that the service accepts converts without coercion, and one that converts is accepted."""
    converter = setting_type(type_)
    wire_type, schema = parse_type(converter.heksher_string()), ValueSchema(converter.json_schema() or {})
    schema.check()
    seen = set()

    @given(near(whole_schema(converter)))
    @settings(max_examples=max(100, settings().max_examples), deadline=None, derandomize=True)
    def agrees(value: Any) -> None:
        is_accepted = wire_type.accepts(value) and not schema.faults(value)
        try:
            converts = not converter.convert_from_heksher(value).coercions
        except TypeError:
            converts = False
        assert is_accepted == converts, (value, schema.faults(value))
        seen.add(converts)

    agrees()
    assert seen == ({True} if type_ is Any else {True, False})


VALUES: list[tuple[Any, Any]] = [
    (timedelta, timedelta(seconds=0.1)),
    (datetime, datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    (Decimal, Decimal("1E+5")),
    (Retry | None, Retry(5, timedelta(minutes=1))),
    (Pool, Pool(hosts=("a", "b"), fallback=Retry(), weights={"x": Decimal("0.10")}, level=None)),
    (Sequence[Model], (Model(port=5), Model(hosts=()))),
    (Mapping[str, Struct], {"a": Struct(port=5)}),
    (Point, Point(1, 2)),
    (Share, Share(Right.READ | Right.WRITE)),
    (Options, {"name": "a"}),
    (Any, {"a": (1, None, {"b": 0.5})}),
    (Literal["a", "b"], "b"),
]


@pytest.fixture
def declared() -> list[Setting[Any]]:
    """Return settings with all kinds of values as defaults."""
    return [Setting(f"s{number}", type_, ["user"], value) for number, (type_, value) in enumerate(VALUES)]


def test_values_come_back_as_they_were(declared: list[Setting[Any]], tmp_path: Path) -> None:
    """From a default of a program through declaration, rule, export, import, and query to another client."""
    with embedded(tmp_path / "a.db", context_features=FEATURES) as service:
        with ThreadHeksherClient(service.url, 60, FEATURES):
            pass
        api = Api(service.url)
        with api.http:
            for setting in declared:
                api.add_rule(setting.type.convert_to_heksher(setting.default_value), setting.name, user="a")
    database, file = f"sqlite:///{tmp_path}/a.db", str(tmp_path / "export")
    for arguments in (
        ["export", "--database", database, "--output", file],
        ["import", file, "--database", f"sqlite:///{tmp_path}/b.db"],
    ):
        assert CliRunner().invoke(heksherlite, arguments).exit_code == 0
    with embedded(tmp_path / "b.db") as service:
        client = ThreadHeksherClient(service.url, 60, FEATURES)
        client.track_contexts(user="a")
        with client:
            assert client.status.undeclared == 0
            for setting, (_, value) in zip(declared, VALUES, strict=True):
                explanation = setting.explain(user="a")
                assert (explanation.winner is not None, explanation.value) == (True, value)
                assert setting.get(user="b") == value
                assert client.get_settings()[setting.name].schema == setting.type.json_schema()
