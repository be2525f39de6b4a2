import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.errors import TypeStringError
from heksherlite.wire_types import (
    BOOL,
    FLOAT,
    INT,
    MAX_NESTING,
    STR,
    EnumType,
    FlagsType,
    MappingType,
    SequenceType,
    WireType,
    is_subtype,
    parse,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(['"', "]", ",", "[>", "\\", "\0", "a"])
NUMBERS = st.integers(-3, 3) | st.floats(-3, 3) | st.integers(-(2**63), 2**64 - 1) | st.sampled_from([1.0, 1e300, -0.0])
OPTIONS = st.lists(st.none() | st.booleans() | NUMBERS | TEXTS, min_size=1, max_size=4)
FEW_OPTIONS = st.lists(st.sampled_from([1, 1.0, True, "1", None]), min_size=1, max_size=4)


def types(options: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[WireType]:
    leaves: st.SearchStrategy[WireType] = st.one_of(
        st.sampled_from([INT, FLOAT, STR, BOOL]), options.map(EnumType), options.map(FlagsType)
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
    primitives = {INT: st.integers() | st.just(5.0), FLOAT: NUMBERS, STR: TEXTS, BOOL: st.booleans()}
    return primitives[type_]


@given(TYPES)
def test_what_is_printed_parses_to_the_same(type_: WireType) -> None:
    """Printing and parsing are inverse, also with spaces around every token outside of texts."""
    assert parse(str(type_)) == type_
    assert str(parse(str(type_))) == str(type_)
    assert hash(parse(str(type_))) == hash(type_)


@given(OPTIONS, st.randoms())
def test_the_order_of_options_does_not_matter(options: list[Any], random: Any) -> None:
    """Equality ignores order and repetition, and equal types print equally, sorted by JSON text."""
    shuffled = options * 2
    random.shuffle(shuffled)
    for kind in (EnumType, FlagsType):
        assert kind(options) == kind(shuffled)
        assert str(kind(options)) == str(kind(shuffled))
    texts = EnumType(options).option_texts
    assert str(EnumType(options)) == f"Enum[{','.join(sorted(texts))}]"


@given(TYPES.flatmap(lambda type_: st.tuples(st.just(type_), values_of(type_))))
def test_values_of_a_type_are_accepted(typed: tuple[WireType, Any]) -> None:
    """A type accepts its values, also after a trip through JSON."""
    type_, value = typed
    assert type_.accepts(value)
    assert type_.problem(value) is None
    assert type_.accepts(json.loads(json.dumps(value)))


@given(TYPES, st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=3)))
def test_a_problem_is_told_exactly_when_a_value_is_refused(type_: WireType, value: Any) -> None:
    """The two ways to check agree."""
    assert type_.accepts(value) == (type_.problem(value) is None)


@given(RELATED_TYPES, RELATED_TYPES, RELATED_TYPES)
def test_the_order_is_a_strict_partial_order(one: WireType, two: WireType, three: WireType) -> None:
    """Nothing is below itself, no two are below each other, and it is transitive."""
    assert not is_subtype(one, one)
    assert not (is_subtype(one, two) and is_subtype(two, one))
    if is_subtype(one, two) and is_subtype(two, three):
        assert is_subtype(one, three)


@given(st.data())
def test_values_of_a_lower_type_are_values_of_the_upper(data: st.DataObject) -> None:
    """A < B means that every value of A is one of B."""
    upper = data.draw(RELATED_TYPES)
    lower = data.draw(st.sampled_from([*narrower(upper), upper]))
    assert is_subtype(lower, upper) == (lower != upper)
    assert upper.accepts(data.draw(values_of(lower)))


def narrower(type_: WireType) -> list[WireType]:
    match type_:
        case EnumType() | FlagsType():
            options = [json.loads(text) for text in sorted(type_.option_texts)]
            return [type(type_)(options[:-1])] if len(options) > 1 else []
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
        ("Sequence<Mapping<Flags[1]>>", "Sequence<Mapping<Flags[1]>>"),
        ('Enum[true,"maybe",false]', 'Enum["maybe",false,true]'),
        ('Enum [ "a]" , "b," ,1.0, null ]', 'Enum["a]","b,",1,null]'),
        ('Enum["\\u05d0", "\\"", 0.5, -0.0]', 'Enum["\\"","א",0,0.5]'),
        ("Flags[2,1,1.0]", "Flags[1,2]"),
        ("Enum[1e2, 1e300]", "Enum[100,1e+300]"),
    ],
)
def test_types_are_printed_canonically(text: str, printed: str) -> None:
    """Spaces are accepted inside and never printed; options are sorted by their JSON text."""
    assert str(parse(text)) == printed


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
def test_anything_else_is_refused(text: str) -> None:
    """A malformed type is an error that says where and what was expected."""
    with pytest.raises(TypeStringError, match=r"^invalid type .*: at position \d+, expected "):
        parse(text)


def test_hostile_nesting_is_a_clear_error() -> None:
    """Deep nesting is refused and never exhausts the stack."""
    deepest = "Sequence<" * MAX_NESTING + "int" + ">" * MAX_NESTING
    assert str(parse(deepest)) == deepest
    for depth in (MAX_NESTING + 1, 100_000):
        with pytest.raises(TypeStringError, match=rf"at most {MAX_NESTING}"):
            parse("Mapping<" * depth + "int" + ">" * depth)


@pytest.mark.parametrize("options", [[], [[1]], [{}], [float("inf")], [float("nan")], [2**64], ["\ud800"], [object()]])
def test_impossible_options_are_refused(options: list[Any]) -> None:
    """Options are JSON primitives that every reader keeps, at least one."""
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
def test_what_types_accept(text: str, good: list[Any], bad: list[Any]) -> None:
    """Values are JSON: whole-number floats are ints, and booleans are no numbers."""
    assert [value for value in good if not parse(text).accepts(value)] == []
    assert [value for value in bad if parse(text).accepts(value)] == []


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
def test_what_is_incomparable(lower: str, upper: str) -> None:
    """Only what the order names is ordered."""
    assert not is_subtype(parse(lower), parse(upper))


def test_problems_tell_the_path() -> None:
    """The message leads to the place in the value and stays short."""
    problem = parse("Mapping<Sequence<int>>").problem({"a": [1, 2.5]})
    assert problem == "at ['a'][1]: 2.5 is not of type int"
    assert len(parse("Sequence<int>").problem(["x" * 10_000]) or "") < 100
