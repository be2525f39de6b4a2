"""What ``Annotated`` says about the values of a type: constraints, a unit, and a description.

The classes of annotated-types and pydantic are recognized if the program has imported them, and never imported here.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Final

from heksherlite.values.json_schemas import merged

_NUMBERS: Final = frozenset({"integer", "number"})
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_TEXTS: Final = {"documentation": "description", "description": "description", "title": "title"}
_LENGTHS: Final = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a number, for people and for conversion: ``Annotated[int, Unit("ms")]``.

    Numbers keep their value; the unit is shown where they are edited. The service has a :class:`~datetime.timedelta` in
    this unit, which is one of ``"us"``, ``"ms"``, ``"s"``, ``"min"``, ``"h"`` and ``"d"``; the default is ``"s"``.

    Args:
        symbol: The symbol of the unit.
    """

    symbol: str


@dataclass(slots=True)
class Constraints:
    """What is required of the values of a type.

    Attributes:
        keywords: The keywords of JSON Schema. The client checks them, and the service too.
        predicates: Functions that the client calls with the Python value, and their descriptions.
        checks: What the client checks for the keywords: a function of value and limit, the limit, and a text for it.
    """

    keywords: dict[str, Any] = field(default_factory=dict)
    predicates: list[tuple[Callable[[Any], Any], str]] = field(default_factory=list)
    checks: list[tuple[Callable[[Any, Any], bool], Any, str]] = field(init=False)

    def __post_init__(self) -> None:
        found = [(_CHECKS[keyword], limit) for keyword, limit in self.keywords.items() if keyword in _CHECKS]
        self.checks = [(check, limit, text) for (check, text), limit in found]

    def problem(self, raw_value: Any) -> str | None:
        """Return why a JSON value of the type does not satisfy the keywords, or ``None`` if it does."""
        for check, limit, text in self.checks:
            if not check(raw_value, limit):
                return text.format(limit)
        return None

    def check_value(self, value: Any) -> None:
        """Check the Python value.

        Raises:
            TypeError: If a predicate does not hold for it.
        """
        for predicate, description in self.predicates:
            if not predicate(value):
                raise TypeError(f"{value!r} does not satisfy {description}")


def unit_of(metadata: Iterable[Any]) -> str | None:
    """Return the symbol of the unit that the metadata of ``Annotated`` has, or ``None``."""
    for item in _single(metadata):
        if isinstance(item, Unit):
            return item.symbol
        if _is_from(item, "annotated_types", "Unit"):
            return str(item.unit)
    return None


def constraints_of(metadata: Iterable[Any], schema: Mapping[str, Any], write: Callable[[Any], Any]) -> Constraints:
    """Return the constraints in the metadata of ``Annotated``. What is unknown is ignored, as usual.

    Args:
        metadata: The metadata.
        schema: The whole schema of the type.
        write: Converts a Python value of the type to JSON.

    Raises:
        TypeError: If the service could not check a constraint on values of this type.
    """
    metadata = list(metadata)
    keywords: dict[str, Any] = {}
    predicates: list[tuple[Callable[[Any], Any], str]] = []
    if (unit := unit_of(metadata)) is not None:
        keywords["unit"] = unit
    for item in _single(metadata):
        if _is_from(item, "annotated_types", "Predicate"):
            predicates.append((item.func, _name(item.func)))
        elif _is_from(item, "annotated_types", "Not"):
            predicates.append((_negated(item.func), f"not {_name(item.func)}"))
        for keyword, limit in _keywords_of(item, schema):
            sent = write(limit) if isinstance(limit, timedelta) else limit
            keywords = merged(keywords, {keyword: sent})
    if "allOf" in keywords:
        raise TypeError(f"{metadata!r} has two patterns or multiples; use one, and Predicate for the other")
    return Constraints(keywords, predicates)


def _keywords_of(item: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keywords of JSON Schema that metadata stands for, with their values."""
    kind = schema.get("type")
    is_plain = not {"format", "pattern"} & schema.keys()
    for attribute, keyword in _BOUNDS.items():
        if (limit := _attribute(item, attribute)) is not None:
            _require(kind in _NUMBERS, item, "numbers and timedelta")
            yield keyword, limit
    for position, attribute in enumerate(("min_length", "max_length")):
        if (limit := _attribute(item, attribute)) is not None:
            _require(kind in _LENGTHS and is_plain, item, "texts, lists and mappings")
            yield _LENGTHS[str(kind)][position], limit
    if (pattern := _attribute(item, "pattern")) is not None:
        _require(kind == "string" and is_plain, item, "texts")
        text = pattern if isinstance(pattern, str) else pattern.pattern
        _compiled(text)
        yield "pattern", text
    for attribute, keyword in _TEXTS.items():
        if isinstance(text := getattr(item, attribute, None), str):
            yield keyword, text


def _negated(predicate: Callable[[Any], Any]) -> Callable[[Any], bool]:
    return lambda value: not predicate(value)


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


def _require(condition: bool, item: Any, kinds: str) -> None:
    if not condition:
        raise TypeError(f"{item!r} is for {kinds} only; use add_validator, or Predicate, to check other values")


def _attribute(item: Any, name: str) -> Any:
    """Return a limit of annotated-types or pydantic, or ``None``. Other metadata may have any attributes."""
    is_known = type(item).__module__.partition(".")[0] in {"annotated_types", "pydantic"}
    return getattr(item, name, None) if is_known else None


def _single(metadata: Iterable[Any]) -> Iterator[Any]:
    """Yield metadata with the items of groups, such as ``Interval`` and pydantic's ``Field``."""
    grouped = getattr(sys.modules.get("annotated_types"), "GroupedMetadata", ())
    for item in metadata:
        if _is_from(item, "pydantic.fields", "FieldInfo"):
            yield from _single(item.metadata)
            yield item
        elif isinstance(item, grouped) and isinstance(item, Iterable):
            yield from _single(item)
        else:
            yield item


def _is_from(item: Any, module: str, name: str) -> bool:
    return type(item).__name__ == name and type(item).__module__ == module


def _is_multiple(value: Any, factor: Any) -> bool:
    return (Fraction(str(value)) / Fraction(str(factor))).denominator == 1


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern of JSON Schema, where ``$`` is only the end of the text, and classes of characters are ASCII."""
    parts = re.findall(r"\\.|\[(?:\\.|[^\]\\])+\]|.", pattern, re.DOTALL)
    try:
        return re.compile("".join(r"\Z" if part == "$" else part for part in parts), re.ASCII)
    except re.error as error:
        raise TypeError(f"the pattern {pattern!r} is invalid: {error}") from error


_CHECKS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "minimum": (ge, "must be at least {}"),
    "exclusiveMinimum": (gt, "must be greater than {}"),
    "maximum": (le, "must be at most {}"),
    "exclusiveMaximum": (lt, "must be less than {}"),
    "multipleOf": (_is_multiple, "must be a multiple of {}"),
    "minLength": (lambda value, limit: len(value) >= limit, "must have at least {} characters"),
    "maxLength": (lambda value, limit: len(value) <= limit, "must have at most {} characters"),
    "minItems": (lambda value, limit: len(value) >= limit, "must have at least {} items"),
    "maxItems": (lambda value, limit: len(value) <= limit, "must have at most {} items"),
    "minProperties": (lambda value, limit: len(value) >= limit, "must have at least {} items"),
    "maxProperties": (lambda value, limit: len(value) <= limit, "must have at most {} items"),
    "pattern": (lambda value, pattern: _compiled(pattern).search(value) is not None, "must match {}"),
}
"""What the client checks, by keyword: the check and what is required."""
