"""The fields of dataclasses, attrs classes, typed dictionaries and named tuples."""

import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, NotRequired, Required, get_args, get_origin, get_type_hints, is_typeddict

_NAME: Final = re.compile(r"\w+")
_MISSING: Final = dataclasses.MISSING


class ModelField(NamedTuple):
    """A field.

    Attributes:
        name: Its name, which is its key in JSON.
        annotation: Its type.
        is_required: Whether an instance needs a value for it.
        default: Returns its default. ``None`` if it has none, or one that depends on other fields.
    """

    name: str
    annotation: Any
    is_required: bool
    default: Callable[[], Any] | None


def fields_of(type_: Any) -> list[ModelField]:
    """Return the fields of a class.

    Raises:
        TypeError: If the class is generic, or a field has a type that is not defined. The message names the field.
    """
    found = list(_fields_of(type_))
    if parameters := getattr(type_, "__parameters__", ()):
        names = {parameter.__name__ for parameter in parameters}
        fields = ", ".join(repr(each.name) for each in found if names & set(_NAME.findall(str(each.annotation))))
        raise TypeError(f"{type_.__name__} is generic: the type of its field {fields} is not known")
    try:
        hints = get_type_hints(type_, include_extras=True)
    except NameError as error:
        fields = ", ".join(repr(each.name) for each in found if str(error.name) in str(each.annotation))
        raise TypeError(f"field {fields} of {type_.__name__} has a type that is not defined: {error}") from error
    return [each._replace(annotation=_plain(hints[each.name])) for each in found]


def _fields_of(type_: Any) -> Iterator[ModelField]:
    if dataclasses.is_dataclass(type_):
        for each in dataclasses.fields(type_):
            if each.init:
                default = _dataclass_default(each)
                yield ModelField(each.name, each.type, default is None, default)
    elif hasattr(type_, "__attrs_attrs__"):
        attr = sys.modules["attr"]
        for each in type_.__attrs_attrs__:
            if each.init:
                yield ModelField(each.name, each.type, each.default is attr.NOTHING, _attrs_default(attr, each.default))
    elif is_typeddict(type_):
        for name, annotation in type_.__annotations__.items():
            yield ModelField(name, annotation, name in type_.__required_keys__, None)
    else:
        for name in type_._fields:
            default = (lambda key=name: type_._field_defaults[key]) if name in type_._field_defaults else None
            yield ModelField(name, type_.__annotations__.get(name, Any), default is None, default)


def _dataclass_default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    if field.default is not _MISSING:
        return lambda: field.default
    return None if field.default_factory is _MISSING else field.default_factory


def _attrs_default(attr: Any, default: Any) -> Callable[[], Any] | None:
    if default is attr.NOTHING:
        return None
    if isinstance(default, attr.Factory):
        return None if default.takes_self else default.factory
    return lambda: default


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) in {Required, NotRequired} else annotation
