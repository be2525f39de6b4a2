import collections.abc
import copy
import json
import pickle
import typing
from enum import Enum, Flag, IntEnum, IntFlag
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import (
    Conversion,
    HeksherEnum,
    HeksherFlags,
    HeksherMapping,
    HeksherSequence,
    Setting,
    SettingType,
    setting_type,
)


class Theme(Enum):
    DARK = "dark"
    BRIGHT = "bright"
    MAYBE = False
    LEVEL = 3


class Access(IntFlag):
    WRITE = 2
    READ = 1


class Rank(IntEnum):
    LOW = 1
    HIGH = 2


class Permission(Flag):
    WRITE = 2
    READ = 1


class Level(IntFlag):
    LOW = 0b0011
    HIGH = 0b1100
    ADMIN = 0b10000


WIRE_TYPES = [
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (bool, "bool"),
    (Theme, 'Enum["bright","dark",3,false]'),
    (Rank, "Enum[1,2]"),
    (Access, 'Flags["READ","WRITE"]'),
    (typing.Sequence[int], "Sequence<int>"),
    (collections.abc.Sequence[Access], 'Sequence<Flags["READ","WRITE"]>'),
    (typing.Mapping[str, float], "Mapping<float>"),
    (collections.abc.Mapping[str, collections.abc.Sequence[bool]], "Mapping<Sequence<bool>>"),
    (HeksherSequence(HeksherMapping(int)), "Sequence<Mapping<int>>"),
    (Permission, 'Flags["READ","WRITE"]'),
    (list[str], "Sequence<str>"),
    (tuple[int, ...], "Sequence<int>"),
    (dict[str, list[int]], "Mapping<Sequence<int>>"),
]


@pytest.mark.parametrize(("type_", "wire_type"), WIRE_TYPES, ids=[wire for _, wire in WIRE_TYPES])
def test_each_python_type_has_its_wire_type(type_: Any, wire_type: str) -> None:
    """Each supported Python type has a wire type. Its options are sorted by their JSON text."""
    assert setting_type(type_).heksher_string() == wire_type


def test_a_setting_type_is_its_own_setting_type() -> None:
    """``setting_type`` returns a SettingType unchanged, so programs can define their own types."""

    class Hex(SettingType[int]):
        def heksher_string(self) -> str:
            return "str"

        def convert_from_heksher(self, x: Any) -> Conversion[int]:
            return Conversion(int(x, 16))

        def convert_to_heksher(self, x: int) -> Any:
            return f"{x:x}"

    own = Hex()
    assert setting_type(own) is own
    assert Setting("x", own, ["user"], 255).to_v1_declaration_body()["default_value"] == "ff"


@pytest.mark.parametrize("type_", [typing.Mapping[int, str], collections.abc.Mapping[Any, int], dict[int, str]])
def test_mapping_keys_must_be_strings(type_: Any) -> None:
    """A mapping with keys other than str raises TypeError."""
    with pytest.raises(TypeError, match="str"):
        setting_type(type_)


@pytest.mark.parametrize(
    "type_", [list, dict, tuple, tuple[int], tuple[int, str], set[int], bytes, None, int | str, "int", 5, object]
)
def test_unsupported_types_are_refused(type_: Any) -> None:
    """An unsupported type raises a RuntimeError that lists the supported types."""
    with pytest.raises(RuntimeError, match="SettingType"):
        setting_type(type_)


@pytest.mark.parametrize("value", [None, (1, 2), object()])
def test_enum_members_must_be_primitive(value: object) -> None:
    """An enum with members that are not JSON primitives raises TypeError."""
    Odd: Any = Enum("Odd", {"A": value})  # noqa: N806 - a class
    with pytest.raises(TypeError):
        HeksherEnum(Odd)


def test_enum_members_are_sent_as_their_values() -> None:
    """A member converts to its value and back. True is not 1, and unknown values are refused."""
    theme = HeksherEnum(Theme)
    for member in Theme:
        assert theme.convert_from_heksher(member.value) == Conversion(member)
        assert theme.convert_to_heksher(member) == member.value
    assert theme.convert_from_heksher(3.0).value is Theme.LEVEL
    for unknown in ["DARK", "", 0, True, None, [], {}, ["dark"]]:
        with pytest.raises(TypeError, match=r"^value is not a valid enum member$"):
            theme.convert_from_heksher(unknown)


def test_flags_are_sent_as_names() -> None:
    """Flags convert to the names of their members and back."""
    access = HeksherFlags(Access)
    assert access.convert_from_heksher(["READ", "WRITE"]) == Conversion(Access.READ | Access.WRITE)
    assert access.convert_from_heksher([]) == Conversion(Access(0))
    assert sorted(access.convert_to_heksher(Access.READ | Access.WRITE)) == ["READ", "WRITE"]
    assert access.convert_to_heksher(Access(0)) == []


@pytest.mark.parametrize("value", [Level.LOW, Level.HIGH, Level.LOW | Level.ADMIN, Level(0), Level(0b11111)])
def test_flags_of_several_bits_survive_conversion(value: Level) -> None:
    """A member with several bits is sent by its name, and comes back."""
    level = HeksherFlags(Level)
    assert level.convert_from_heksher(level.convert_to_heksher(value)) == Conversion(value)


def test_flags_without_a_name_are_refused() -> None:
    """A bit that no member has cannot be sent, so the value is refused, and the bit is named."""
    with pytest.raises(TypeError, match="0b1"):
        HeksherFlags(Level).convert_to_heksher(Level(0b0001))
    with pytest.raises(TypeError, match="0b100000"):
        HeksherFlags(Level).convert_to_heksher(Level.LOW | Level(0b100000))


def test_plain_flags_are_flags() -> None:
    """A Flag class that is not an IntFlag is a set of flags too, so combinations of its members can be sent."""
    both = Permission.READ | Permission.WRITE
    permission = setting_type(Permission)
    assert sorted(permission.convert_to_heksher(both)) == ["READ", "WRITE"]
    assert permission.convert_from_heksher(["WRITE", "READ"]) == Conversion(both)


WRONG_VALUES = [
    (int, ["1", 1.5, True, None]),
    (float, ["1", True, None]),
    (str, [1, None, b"a"]),
    (bool, [1, "true", None]),
    (Theme, ["dark", "DARK", Rank.LOW, None]),
    (Access, [1, "READ", ["READ"], Level.LOW, None]),
    (collections.abc.Sequence[str], ["abc", [1], {"a"}, {"a": "b"}, None, ["a", ["b"]]]),
    (collections.abc.Mapping[str, int], [{1: 1}, {"a": "b"}, [("a", 1)], None]),
]


@pytest.mark.parametrize(("type_", "values"), WRONG_VALUES, ids=[str(type_) for type_, _ in WRONG_VALUES])
def test_python_values_of_another_type_are_refused(type_: Any, values: list[Any]) -> None:
    """A Python value of another type raises TypeError instead of being sent."""
    for value in values:
        with pytest.raises(TypeError):
            setting_type(type_).convert_to_heksher(value)


def test_subclasses_are_sent_as_plain_values() -> None:
    """A member of an enum that is also an int or a str is a value of this type, and is sent as a plain one."""
    word = Enum("word", {"A": "a"}, type=str)
    sent = [setting_type(int).convert_to_heksher(Rank.HIGH), setting_type(str).convert_to_heksher(word["A"])]
    assert [(value, type(value)) for value in sent] == [(2, int), ("a", str)]


def test_unknown_flags_are_dropped() -> None:
    """An unknown flag is dropped, with a coercion that names it."""
    conversion = HeksherFlags(Access).convert_from_heksher(["READ", "EXECUTE"])
    assert conversion.value is Access.READ
    assert list(conversion.coercions) == ["server sent a flag value not found in the python type (EXECUTE)"]


def test_unconvertible_elements_are_dropped() -> None:
    """An element that cannot be converted is dropped, with a coercion that contains its index and the reason."""
    conversion: Conversion[Any] = HeksherSequence(int).convert_from_heksher([0, 1, 2, "three", 4])
    assert conversion.value == (0, 1, 2, 4)
    (coercion,) = conversion.coercions
    assert coercion.startswith("failed to convert element 3: TypeError(")


def test_unconvertible_mapping_values_are_dropped() -> None:
    """A mapping value that cannot be converted is dropped, with a coercion that contains its key and the reason."""
    conversion: Conversion[Any] = HeksherMapping(int).convert_from_heksher({"a": 1, "K": "x"})
    assert conversion.value == {"a": 1}
    (coercion,) = conversion.coercions
    assert coercion.startswith("failed to convert value for key K: TypeError(")


def test_inner_coercions_contain_their_path() -> None:
    """The coercion of an inner value starts with its path."""
    nested: SettingType[Any] = HeksherMapping(HeksherSequence(Access))
    conversion = nested.convert_from_heksher({"K": [[], [], [], ["X"]]})
    assert conversion.value == {"K": (Access(0),) * 4}
    assert list(conversion.coercions) == [
        "K: element 3: server sent a flag value not found in the python type (X)",
    ]


def test_values_are_immutable() -> None:
    """At every level, sequences become tuples, and mappings become read-only mappings."""
    value = setting_type(collections.abc.Mapping[str, collections.abc.Sequence[int]]).convert_from_heksher({"a": [1]})
    assert type(value.value["a"]) is tuple
    changes: list[collections.abc.Callable[[Any], object]] = [
        lambda mapping: mapping.update(b=()),
        lambda mapping: mapping.setdefault("b", ()),
        lambda mapping: mapping.pop("a"),
        lambda mapping: mapping.popitem(),
        lambda mapping: mapping.clear(),
        lambda mapping: mapping.__setitem__("b", ()),
        lambda mapping: mapping.__delitem__("a"),
        lambda mapping: mapping.__ior__({"b": ()}),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="read-only"):
            change(value.value)
    assert value.value == {"a": (1,)}


def test_read_only_mappings_can_be_copied_pickled_and_serialized() -> None:
    """A mapping value can be copied, pickled and serialized as JSON. Its copy as a dict can be changed."""
    value = setting_type(collections.abc.Mapping[str, int]).convert_from_heksher({"a": 1}).value
    copies = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), json.loads(json.dumps(value))]  # noqa: S301
    assert copies == [{"a": 1}] * 4
    assert type(copies[2]) is type(value)
    assert dict(value) | {"b": 2} == value | {"b": 2} == {"a": 1, "b": 2}


UNFIT = [
    (int, [True, False, 5.5, "5", None, [], {}]),
    (float, [True, "1.5", None, [1.5]]),
    (str, [1, True, None, ["a"], {}]),
    (bool, [0, 1, "true", None]),
    (Access, ["READ", None, 1, {"READ": True}]),
    (collections.abc.Sequence[int], ["12", None, 1, {"0": 1}]),
    (collections.abc.Mapping[str, int], [[], None, "a", [["a", 1]]]),
]


@pytest.mark.parametrize(("type_", "values"), UNFIT, ids=[str(type_) for type_, _ in UNFIT])
def test_values_of_another_type_are_refused(type_: Any, values: list[Any]) -> None:
    """A JSON value of another type raises TypeError. A boolean is neither an int nor a float."""
    for value in values:
        with pytest.raises(TypeError):
            setting_type(type_).convert_from_heksher(value)


def test_whole_number_floats_are_ints() -> None:
    """An int setting converts 5.0 to an int."""
    value = setting_type(int).convert_from_heksher(5.0).value
    assert (value, type(value)) == (5, int)


def test_whole_numbers_are_floats_of_a_float_setting() -> None:
    """A float setting converts the JSON number 5 to a float, alone, in a sequence, and among many values."""
    number, numbers = setting_type(float), setting_type(collections.abc.Sequence[float])
    values = [number.convert_from_heksher(5).value, *numbers.convert_from_heksher([1, 2.5]).value]
    assert [(value, type(value)) for value in values] == [(5, float), (1, float), (2.5, float)]
    assert number.convert_all_from_heksher([1.5, 2]) is None
    assert number.convert_all_from_heksher([1.5, 2.5]) == [1.5, 2.5]
    with pytest.raises(TypeError, match="float"):
        number.convert_from_heksher(10**400)


def typed_values() -> st.SearchStrategy[tuple[Any, Any]]:
    """Return pairs of a type and one of its values."""
    leaves = st.one_of(
        st.tuples(st.just(int), st.integers()),
        st.tuples(st.just(str), st.text()),
        st.tuples(st.just(bool), st.booleans()),
        st.tuples(st.just(float), st.floats(allow_nan=False)),
        st.tuples(st.just(Theme), st.sampled_from(Theme)),
        st.tuples(st.just(Access), st.sampled_from([Access(0), Access.READ, Access.WRITE | Access.READ])),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda pair: (HeksherSequence(pair[0]), (pair[1],))),
            inner.map(lambda pair: (HeksherMapping(pair[0]), {"k": pair[1]})),
        ),
        max_leaves=3,
    )


@given(typed_values())
def test_conversion_is_reversible(pair: tuple[Any, Any]) -> None:
    """Each value of each type converts to JSON and back without coercion."""
    type_, value = pair
    converter = setting_type(type_)
    conversion = converter.convert_from_heksher(converter.convert_to_heksher(value))
    assert conversion.value == value
    assert list(conversion.coercions) == []
