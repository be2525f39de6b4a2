"""Conversion of groups to dataclasses and attrs classes by cattrs, and to pydantic models by pydantic."""

import re
import sys
from collections import abc, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from inspect import isclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from heksherlite.errors import FactsShapeError, FaktsError
from heksherlite.grants.facts import describe_type
from heksherlite.grants.values import (
    CONVERSIONS,
    LIST_NOTATION,
    MAPPING_NOTATION,
    UnfitError,
    as_choice,
    as_list,
    as_mapping,
    as_member,
    unfit,
)

if TYPE_CHECKING:
    from cattrs import Converter

M = TypeVar("M")

_COLLECTIONS: tuple[type, ...] = (list, tuple, set, frozenset, deque)
_COLLECTION_OF_ABSTRACT: dict[Any, type] = {
    abc.Collection: list,
    abc.Iterable: list,
    abc.MutableSequence: list,
    abc.MutableSet: set,
    abc.Sequence: list,
    abc.Set: frozenset,
}
"""The classes that are constructed for abstract types."""


def structure(found: Any, path: str | None, into: type[M]) -> M:
    """Return a value as an instance of a type.

    Texts are converted to the types of the fields, because environment variables have only texts.

    Args:
        found: The value.
        path: Its path, for the error.
        into: A dataclass, an attrs class or a pydantic model, or any type that a field of these can have.

    Raises:
        FactsShapeError: If the value does not fit. The error lists every offending key, but no values, which may be
            secret.
        FaktsError: If cattrs is not installed.
        TypeError: If it is not a type.
    """
    pydantic = sys.modules.get("pydantic")  # it is imported if the class is a model
    if pydantic is not None and isinstance(into, type) and issubclass(into, pydantic.BaseModel):
        try:
            return cast("M", cast("Any", into).model_validate(_parse_texts(found, into)))
        except pydantic.ValidationError as error:
            problems = {_dotted(item["loc"]): _pydantic_reason(item) for item in error.errors()}
        except Exception as error:  # noqa: BLE001 - validators of the program raise anything
            problems = {path or "facts": _reason(error, None)}
        raise FactsShapeError(path, problems)
    if not isinstance(into, type) and get_origin(into) is None:
        raise TypeError(
            f"into must be a type, such as a dataclass, an attrs class, a pydantic model or int, not {into!r}"
        )
    if into in CONVERSIONS:
        try:
            return cast("M", CONVERSIONS[into](found))
        except UnfitError as error:
            raise FactsShapeError(path, {path or "facts": str(error)}) from None
    return _structure_by_cattrs(found, path, into)


def _structure_by_cattrs(found: Any, path: str | None, into: type[M]) -> M:
    try:
        import cattrs  # noqa: PLC0415 - requires an extra
    except ModuleNotFoundError as error:
        if error.name != "cattrs":
            raise
        message = "into= requires cattrs, which is not installed: pip install 'heksherlite[models]'"
        raise FaktsError(message) from None
    if _is_class_with_fields(into) and not isinstance(found, dict | str):
        raise FactsShapeError(path, {path or "facts": f"expected a mapping, not {describe_type(found)}"})
    converter = _new_converter()
    try:
        return converter.structure(found, into)
    except Exception as error:  # noqa: BLE001 - cattrs, and the constructors of the program, raise anything
        lines = cattrs.transform_error(error, format_exception=_reason)
        problems = dict(map(_problem, lines))
        if path is not None and "facts" in problems:  # the value itself
            problems[path] = problems.pop("facts")
        raise FactsShapeError(path, problems) from None


def _new_converter() -> "Converter":
    import cattrs  # noqa: PLC0415 - requires an extra

    converter = cattrs.Converter(structure_fallback_factory=lambda _: _reject)
    for type_, convert in CONVERSIONS.items():
        converter.register_structure_hook(type_, partial(_structure_value, convert))
    hooks: list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]] = [
        (_is_class_with_fields, partial(_structure_class, converter)),
        (lambda type_: isclass(type_) and issubclass(type_, Enum), as_member),
        (lambda type_: get_origin(type_) is Literal, _structure_literal),
        (_is_collection, partial(_structure_collection, converter)),
        (_is_mapping, partial(_structure_mapping, converter)),
        (_is_union, partial(_structure_union, converter)),
    ]
    for predicate, hook in hooks:
        converter.register_structure_hook_func(predicate, hook)
    return converter


def _structure_value(convert: Callable[[Any], Any], value: Any, type_: Any) -> Any:
    """Return a value of a type that has a conversion, or of a subclass of one."""
    if issubclass(type_, Enum):
        return as_member(value, type_)
    converted = convert(value)
    return converted if type_ in CONVERSIONS else type_(converted)


def _reject(_: object, __: object) -> Any:
    raise UnfitError("its type cannot be converted from facts")


def _structure_class(converter: "Converter", value: Any, type_: Any) -> Any:
    from cattrs.gen import make_dict_structure_fn  # noqa: PLC0415 - requires an extra

    return make_dict_structure_fn(type_, converter)(as_mapping(value), type_)


def _structure_literal(value: Any, type_: Any) -> Any:
    return as_choice(value, {choice: choice for choice in get_args(type_)})


def _structure_collection(converter: "Converter", value: Any, type_: Any) -> Any:
    items = as_list(value)
    kind, args = get_origin(type_) or type_, get_args(type_)
    types: Iterable[Any] = [args[0] if args else Any] * len(items)
    if kind is tuple and args and args[-1] is not Ellipsis:
        if len(items) != len(args):
            raise UnfitError(f"expected a list of {len(args)} items, not of {len(items)}")
        types = args
    try:
        structured = _structure_items(converter, enumerate(items), types)
    except ExceptionGroup as group:
        first = group.exceptions[0]
        if isinstance(value, str) and len(items) == 1 and isinstance(first, UnfitError):
            raise UnfitError(f"{first}; {LIST_NOTATION}") from None  # perhaps another notation, such as x;y
        raise
    is_concrete = isclass(kind) and issubclass(kind, _COLLECTIONS)
    collection = cast("Callable[[list[Any]], Any]", kind if is_concrete else _COLLECTION_OF_ABSTRACT.get(kind, list))
    return collection(structured)


def _structure_mapping(converter: "Converter", value: Any, type_: Any) -> Any:
    items = as_mapping(value)
    key_type, value_type = get_args(type_) or (Any, Any)
    keys = _structure_items(converter, ((key, key) for key in items), [key_type] * len(items))
    values = _structure_items(converter, items.items(), [value_type] * len(items))
    return dict(zip(keys, values, strict=True))


def _structure_items(converter: "Converter", items: Iterable[tuple[Any, Any]], types: Iterable[Any]) -> list[Any]:
    from cattrs.errors import IterableValidationError, IterableValidationNote  # noqa: PLC0415 - requires an extra

    structured: list[Any] = []
    errors: list[Exception] = []
    for (index, item), type_ in zip(items, types, strict=True):
        try:
            structured.append(converter.structure(item, type_))
        except Exception as error:  # noqa: BLE001 - all are reported together
            error.add_note(IterableValidationNote(f"at index {index!r}", index, type_))
            errors.append(error)
    if errors:
        raise IterableValidationError("", errors, list)  # pyright: ignore[reportCallIssue]
    return structured


def _structure_union(converter: "Converter", value: Any, type_: Any) -> Any:
    """Return the value if it has one of the types, or else as the first type that it can be converted to."""
    types = get_args(type_)
    if value is None and NoneType in types:
        return None
    types = tuple(candidate for candidate in types if candidate is not NoneType)
    if type(value) in types:
        return converter.structure(value, type(value))
    if len(types) == 1:
        return converter.structure(value, types[0])
    for candidate in types:
        with suppress(Exception):  # the next type is tried
            return converter.structure(value, candidate)
    raise unfit(" or ".join(getattr(candidate, "__name__", str(candidate)) for candidate in types), value)


def _is_class_with_fields(type_: Any) -> bool:
    return isclass(type_) and (is_dataclass(type_) or hasattr(type_, "__attrs_attrs__"))


def _is_collection(type_: Any) -> bool:
    kind = get_origin(type_) or type_
    if not isclass(kind) or issubclass(kind, str | bytes) or hasattr(kind, "_fields"):
        return False
    return issubclass(kind, _COLLECTIONS) or kind in _COLLECTION_OF_ABSTRACT


def _is_mapping(type_: Any) -> bool:
    kind = get_origin(type_) or type_
    return isclass(kind) and issubclass(kind, Mapping) and not hasattr(kind, "__required_keys__")


def _is_union(type_: Any) -> bool:
    return get_origin(type_) in (Union, UnionType)


def _parse_texts(value: Any, type_: Any) -> Any:
    """Return a value for pydantic, which does not parse lists and mappings in texts.

    Values that do not fit are returned unchanged: pydantic reports them.
    """
    type_ = get_args(type_)[0] if get_origin(type_) is Annotated else type_
    try:
        if _is_union(type_):
            candidates = [candidate for candidate in get_args(type_) if candidate is not NoneType]
            return _parse_texts(value, candidates[0]) if len(candidates) == 1 and value is not None else value
        if hasattr(type_, "model_fields"):
            fields = type_.model_fields
            names = {field.alias or name: field.annotation for name, field in fields.items()}
            mapping = as_mapping(value)
            return {key: _parse_texts(item, names.get(key, Any)) for key, item in mapping.items()}
        if _is_collection(type_):
            args = get_args(type_)
            items = as_list(value)
            return [_parse_texts(item, args[0]) for item in items] if args else items
        if _is_mapping(type_):
            value_type = (*get_args(type_), Any, Any)[1]
            return {key: _parse_texts(item, value_type) for key, item in as_mapping(value).items()}
    except UnfitError:
        pass
    return value


def _pydantic_reason(error: Any) -> str:
    """Return the reason in an error of pydantic, with the notation if a text is no list or mapping."""
    reason: str = error["msg"]
    if isinstance(error["input"], str):
        notations = {"list": LIST_NOTATION, "tuple": LIST_NOTATION, "set": LIST_NOTATION, "frozen_set": LIST_NOTATION}
        kind = error["type"].removesuffix("_type")
        notation = {**notations, "dict": MAPPING_NOTATION, "model": MAPPING_NOTATION}.get(kind)
        return f"{reason}; {notation}" if notation else reason
    return reason


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, UnfitError):
        return str(error)
    if isinstance(error, KeyError):
        return "it is missing"
    return f"it does not fit ({type(error).__name__})"


_INDEX = re.compile(r"\['?(.*?)'?\]")


def _problem(line: str) -> tuple[str, str]:
    """Return the key and the reason in a line such as ``it is missing @ $.key[0]``."""
    reason, _, place = line.rpartition(" @ $")
    return _INDEX.sub(r".\1", place).lstrip(".") or "facts", reason


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "facts"
