import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import TypeStringError
from heksherlite.values.type_strings import MAX_NESTING, parse_type
from heksherlite.values.wire_types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    STR,
    EnumType,
    FlagsType,
    JsonType,
    MappingType,
    SequenceType,
    WireType,
    is_subtype,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(['"', "]", ",", "[>", "\\", "\0", "a"])
NUMBERS = st.integers(-3, 3) | st.floats(-3, 3) | st.integers(-(2**63), 2**64 - 1) | st.sampled_from([1.0, 1e300, -0.0])
JSON_VALUES = st.none() | st.lists(NUMBERS, max_size=2) | st.dictionaries(TEXTS, st.booleans(), max_size=2)
OPTIONS = st.lists(st.none() | st.booleans() | NUMBERS | TEXTS, min_size=1, max_size=4)
FEW_OPTIONS = st.lists(st.sampled_from([1, 1.0, True, "1", None]), min_size=1, max_size=4)


def types(options: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[WireType]:
    leaves: st.SearchStrategy[WireType] = st.one_of(
        st.sampled_from([INT, FLOAT, STR, BOOL, JSON]), options.map(EnumType), options.map(FlagsType)
    )
    return st.recursive(leaves, lambda inner: inner.map(SequenceType) | inner.map(MappingType), max_leaves=3)


TYPES = types(OPTIONS)
RELATED_TYPES = types(FEW_OPTIONS)


def values_of(type_: WireType) -> st.SearchStrategy[Any]:
    match type_:
        case EnumType():
            return st.sampled_from([json.loads(text) for text in sorted(type_.option_texts)])
        case FlagsType():
            return st.lists(st.sampled_from(sorted(type_.option_texts)), unique=True).map(
                lambda texts: [json.loads(text) for text in texts]
            )
        case SequenceType():
            return st.lists(values_of(type_.item), max_size=3)
        case MappingType():
            return st.dictionaries(TEXTS, values_of(type_.value), max_size=3)
    primitives = {INT: st.integers() | st.just(5.0), FLOAT: NUMBERS, STR: TEXTS, BOOL: st.booleans(), JSON: JSON_VALUES}
    return primitives[type_]


@given(TYPES)
def test_printing_and_parsing_are_inverse(type_: WireType) -> None:
    """A printed type parses to the same type."""
    assert parse_type(str(type_)) == type_
    assert str(parse_type(str(type_))) == str(type_)
    assert hash(parse_type(str(type_))) == hash(type_)


@given(OPTIONS, st.randoms())
def test_the_order_of_options_does_not_matter(options: list[Any], random: Any) -> None:
    """Equality ignores the order and duplicates of options. Equal types print equally, sorted by JSON text."""
    shuffled = options * 2
    random.shuffle(shuffled)
    for kind in (EnumType, FlagsType):
        assert kind(options) == kind(shuffled)
        assert str(kind(options)) == str(kind(shuffled))
    texts = EnumType(options).option_texts
    assert str(EnumType(options)) == f"Enum[{','.join(sorted(texts))}]"


@given(TYPES.flatmap(lambda type_: st.tuples(st.just(type_), values_of(type_))))
def test_values_of_a_type_are_accepted(typed: tuple[WireType, Any]) -> None:
    """A type accepts its values, before and after JSON serialization."""
    type_, value = typed
    assert type_.accepts(value)
    assert type_.problem(value) is None
    assert type_.accepts(json.loads(json.dumps(value)))


@given(TYPES, st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=3)))
def test_problem_and_accepts_agree(type_: WireType, value: Any) -> None:
    """problem() returns a text exactly when accepts() returns False."""
    assert type_.accepts(value) == (type_.problem(value) is None)


@given(RELATED_TYPES, RELATED_TYPES, RELATED_TYPES)
def test_the_order_is_a_strict_partial_order(one: WireType, two: WireType, three: WireType) -> None:
    """is_subtype() is irreflexive, asymmetric and transitive."""
    assert not is_subtype(one, one)
    assert not (is_subtype(one, two) and is_subtype(two, one))
    if is_subtype(one, two) and is_subtype(two, three):
        assert is_subtype(one, three)


@given(st.data())
def test_values_of_a_lower_type_are_values_of_the_upper(data: st.DataObject) -> None:
    """If A is a subtype of B, then every value of A is a value of B."""
    upper = data.draw(RELATED_TYPES)
    lower = data.draw(st.sampled_from([*narrower(upper), upper]))
    assert is_subtype(lower, upper) == (lower != upper)
    assert upper.accepts(data.draw(values_of(lower)))


def narrower(type_: WireType) -> list[WireType]:
    match type_:
        case EnumType() | FlagsType():
            options = [json.loads(text) for text in sorted(type_.option_texts)]
            return [type(type_)(options[:-1])] if len(options) > 1 else []
        case JsonType():
            return [INT, FlagsType([1]), SequenceType(JSON), MappingType(MappingType(JSON))]
        case SequenceType():
            return [SequenceType(item) for item in narrower(type_.item)]
        case MappingType():
            return [MappingType(value) for value in narrower(type_.value)]
    return [INT] if type_ == FLOAT else []


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("int", "int"),
        ("Mapping < int >", "Mapping<int>"),
        ("Sequence<Json>", "Sequence<Json>"),
        ("Sequence<Mapping<Flags[1]>>", "Sequence<Mapping<Flags[1]>>"),
        ('Enum[true,"maybe",false]', 'Enum["maybe",false,true]'),
        ('Enum [ "a]" , "b," ,1.0, null ]', 'Enum["a]","b,",1,null]'),
        ('Enum["\\u05d0", "\\"", 0.5, -0.0]', 'Enum["\\"","א",0,0.5]'),
        ("Flags[2,1,1.0]", "Flags[1,2]"),
        ("Enum[1e2, 1e300]", "Enum[100,1e+300]"),
    ],
)
def test_types_are_printed_canonically(text: str, printed: str) -> None:
    """Whitespace inside a type is accepted and never printed. Options are sorted by their JSON text."""
    assert str(parse_type(text)) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "int ",
        " int",
        "int\n",
        "INT",
        "integer",
        "Flags{1}",
        "enum[1]",
        "Flags[[0]]",
        "Enum[{}]",
        "Enum[]",
        "Enum[1,]",
        "Enum[,1]",
        "Enum[1",
        "Enum[1]]",
        "Enum",
        "Enum[a]",
        "Enum['a']",
        "Enum[nul]",
        "Enum[01]",
        "Enum[NaN]",
        "Enum[-Infinity]",
        "Enum[1e400]",
        "Enum[18446744073709551616]",
        'Enum["\\ud800"]',
        'Enum["a]',
        "Sequence",
        "Sequence<>",
        "Sequence<int",
        "Sequence<int>>",
        "Sequence[int]",
        "Mapping<str,int>",
        "Flags<1>",
        "Sequence<int >x",
        "Sequence<int,>",
        "Set<int>",
        "Enum[" + "[" * 10_000,
        "Enum[" + "9" * 5_000 + "]",
    ],
)
def test_malformed_types_are_refused(text: str) -> None:
    """A malformed type raises an error with the position and what was expected there."""
    with pytest.raises(TypeStringError, match=r"^invalid type .*: at position \d+, expected "):
        parse_type(text)


def test_excessive_nesting_is_refused() -> None:
    """Nesting beyond the limit raises an error that names the limit, and never exhausts the stack."""
    deepest = "Sequence<" * MAX_NESTING + "int" + ">" * MAX_NESTING
    assert str(parse_type(deepest)) == deepest
    for depth in (MAX_NESTING + 1, 100_000):
        with pytest.raises(TypeStringError, match=rf"at most {MAX_NESTING}"):
            parse_type("Mapping<" * depth + "int" + ">" * depth)


@pytest.mark.parametrize("options", [[], [[1]], [{}], [float("inf")], [float("nan")], [2**64], ["\ud800"], [object()]])
def test_invalid_options_are_refused(options: list[Any]) -> None:
    """An empty list of options, or an option that is not a portable JSON primitive, raises ValueError."""
    for kind in (EnumType, FlagsType):
        with pytest.raises(ValueError, match=r"JSON|option|bits|surrogate"):
            kind(options)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("int", [5, 5.0, 0, -1, 10**30], [5.5, True, None, "5", [], {}, float("nan"), float("inf")]),
        ("float", [5, 5.5, -0.0], [True, None, "5", []]),
        ("str", ["", "\0"], [5, None, True, []]),
        ("bool", [True, False], [0, 1, None, "true"]),
        ("Enum[1,false]", [1, 1.0, False], [True, 0, "1", None, [1]]),
        ("Enum[null]", [None], [False, 0, ""]),
        ("Flags[1,true,2]", [[], [1], [2, 1.0, True]], [[1, 1], [1, 1.0], [3], 1, None, {}, [[1]]]),
        ("Sequence<int>", [[], [1, 1]], [None, {}, "", [1, "1"], [True]]),
        ("Mapping<int>", [{}, {"a": 1}], [None, [], {"a": "1"}]),
    ],
)
def test_each_type_accepts_its_values_only(text: str, good: list[Any], bad: list[Any]) -> None:
    """Values are JSON: whole-number floats are ints, and booleans are not numbers."""
    assert [value for value in good if not parse_type(text).accepts(value)] == []
    assert [value for value in bad if parse_type(text).accepts(value)] == []


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("float", "int"),
        ("int", "int"),
        ("Enum[1,2]", "int"),
        ("Flags[1,2]", "Sequence<int>"),
        ("Enum[1]", "Flags[1,2]"),
        ("Enum[1]", "Enum[2,3]"),
        ("Enum[1]", "Enum[true,2]"),
        ("Sequence<int>", "Mapping<float>"),
        ("bool", "int"),
        ("Sequence<int>", "float"),
    ],
)
def test_unrelated_types_are_not_subtypes(lower: str, upper: str) -> None:
    """Types outside of the specified order are incomparable."""
    assert not is_subtype(parse_type(lower), parse_type(upper))


def test_problems_contain_the_path() -> None:
    """The message contains the path to the wrong value, and stays short."""
    problem = parse_type("Mapping<Sequence<int>>").problem({"a": [1, 2.5]})
    assert problem == "at ['a'][1]: 2.5 is not of type int"
    assert len(parse_type("Sequence<int>").problem(["x" * 10_000]) or "") < 100
