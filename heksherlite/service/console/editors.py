"""Editors: the fields in which a person enters a value of a type, and how they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import orjson

from heksherlite.json_texts import parse_json
from heksherlite.service.console.field_reader import Reader
from heksherlite.service.console.object_editor import Node, fields_of
from heksherlite.service.domain.entities import Setting
from heksherlite.service.pages.form import Form
from heksherlite.service.pages.wording import fault_of_json
from heksherlite.values.json_schemas import combined
from heksherlite.values.wire_types import (
    EnumType,
    FlagsType,
    MappingType,
    PrimitiveType,
    SequenceType,
    WireType,
)

Kind: TypeAlias = Literal["bool", "int", "float", "str", "enum", "flags", "list", "mapping", "form", "json"]

_BLANKS: Final = 3
"""How many empty rows a list or a table of keys offers."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of an Enum or Flags type: its JSON, how it is shown, and whether it is chosen."""

    json: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Editor:
    """The fields of a value.

    Attributes:
        kind: Which fields there are.
        text: What the only field contains.
        options: The options to choose from.
        rows: The items of a list, or the keys and items of a mapping.
        item: The type of the items.
        limits: The limits of a number, as attributes of its field.
        hint: What is permitted, in words.
        json: The value as JSON, for the raw field.
        fields: The fields of an object, or of a text or number with a format.
        others: The faults that stand beside none of the fields.
    """

    kind: Kind
    text: str
    options: Sequence[Option]
    rows: Sequence[tuple[str, str]]
    item: str
    limits: Mapping[str, Any]
    hint: str
    json: str
    fields: Node | None = None
    others: Sequence[str] = ()


class EditError(ValueError):
    """What a person entered is not a value of the setting.

    Attributes:
        value: What was entered, to be shown again.
        faults: Why parts of it are no values, by the path to each.
    """

    def __init__(self, message: str, value: Any = None, faults: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.value = value
        self.faults = faults or {}


def editor_of(
    setting: Setting, value: Any, *, raw: str | None = None, faults: Mapping[str, str] | None = None
) -> Editor:
    """Return the editor of a setting.

    Args:
        setting: The setting.
        value: The value to begin with.
        raw: What the person entered as JSON, if it is to be shown again.
        faults: Why parts of the value are no values, by the path to each.
    """
    if _has_form(setting):
        node, others = fields_of(_schema(setting), value, faults or {})
        if node is not None:
            shown = raw if raw is not None else orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
            return Editor("form", "", (), (), "", {}, "", shown, node, others)
    type_ = setting.type
    document = setting.schema.document if setting.schema is not None else {}
    document = document if isinstance(document, dict) else {}
    kind = _kind(type_)
    if kind != "json" and not type_.accepts(value):
        kind = "json"
    if kind == "list" and isinstance(type_, SequenceType) and not all(map(_has_row, value)):
        kind = "json"
    if kind == "mapping" and not all(key and _has_row(item) for key, item in value.items()):
        kind = "json"
    item = type_.item if isinstance(type_, SequenceType) else type_.value if isinstance(type_, MappingType) else None
    rows: list[tuple[str, str]] = []
    if kind == "list":
        rows = [("", _plain(each)) for each in value] + [("", "")] * _BLANKS
    elif kind == "mapping":
        rows = [(key, _plain(each)) for key, each in value.items()] + [("", "")] * _BLANKS
    return Editor(
        kind=kind,
        text=_plain(value) if kind in {"int", "float", "str"} else "",
        options=_options(type_, value),
        rows=rows,
        item="" if item is None else str(item),
        limits=_limits(document) if kind in {"int", "float"} else {},
        hint=_hint(document, kind),
        json=raw if raw is not None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(),
    )


def read_value(setting: Setting, form: Form, kind: str) -> Any:
    """Return the value that a person entered.

    Args:
        setting: The setting.
        form: The form.
        kind: The kind of the editor that the form has, or ``json`` for its raw field.

    Raises:
        EditError: It is not a value of the setting; the message says why.
    """
    if kind == "form" and _has_form(setting):
        return _of_fields(setting, form)
    value = _read(setting.type, form, kind)
    if problem := setting.type.problem(value):
        raise EditError(problem)
    if setting.schema is not None and (faults := setting.schema.faults(value)):
        raise EditError("; ".join(faults))
    return value


def read_again(setting: Setting, form: Form) -> Any:
    """Return what a person has entered into the fields of an object so far, to show it with more empty rows."""
    return Reader(_schema(setting), form).read()


def _schema(setting: Setting) -> Mapping[str, Any]:
    return combined(setting.type, None if setting.schema is None else setting.schema.document)


def _has_form(setting: Setting) -> bool:
    """Return whether the schema of a setting makes better fields than its type."""
    if _kind(setting.type) == "json":
        return True
    document = setting.schema.document if setting.schema is not None else {}
    return isinstance(setting.type, PrimitiveType) and (
        isinstance(document, dict)
        and (setting.type.name == "str" or document.get("unit") == "s")
        and not {"format", "pattern", "unit"}.isdisjoint(document)
    )


def _of_fields(setting: Setting, form: Form) -> Any:
    reader = Reader(_schema(setting), form)
    value = reader.read()
    faults = reader.faults
    if not faults:
        if problem := setting.type.problem(value):
            faults = {"$": problem}
        elif setting.schema is not None:
            for fault in setting.schema.faults(value):
                path, _, reason = fault.partition(": ")
                faults.setdefault(path, reason)
    if faults:
        raise EditError("; ".join(f"{path}: {fault}" for path, fault in faults.items()), value, faults)
    return value


def _kind(type_: WireType) -> Kind:
    match type_:
        case PrimitiveType():
            return type_.name
        case EnumType():
            return "enum"
        case FlagsType():
            return "flags"
        case SequenceType(item=PrimitiveType() | EnumType()):
            return "list"
        case MappingType(value=PrimitiveType() | EnumType()):
            return "mapping"
    return "json"


def _read(type_: WireType, form: Form, kind: str) -> Any:
    match kind, type_:
        case (("bool" | "enum" | "int" | "float"), _):
            text = (form.texts("value") or [""])[-1].strip()
            if not text:
                raise EditError("enter a value" if kind in {"int", "float"} else "choose a value")
            return _parse(text, f"{text[:100]!r} is not a number" if kind in {"int", "float"} else None)
        case "str", _:
            return _text((form.texts("value") or [""])[-1])
        case "flags", _:
            return [_parse(each) for each in form.texts("value")]
        case "list", SequenceType():
            return [_item(type_.item, text) for text in form.texts("item") if text.strip()]
        case "mapping", MappingType():
            return _pairs(type_.value, form.texts("key"), form.texts("item"))
    return _parse((form.texts("json") or [""])[-1])


def _pairs(type_: WireType, keys: Sequence[str], items: Sequence[str]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, text in zip(keys, items, strict=False):
        if not key.strip():
            if text.strip():
                raise EditError(f"the value {text[:100]!r} has no key")
            continue
        if key.strip() in pairs:
            raise EditError(f"the key {key.strip()[:100]!r} is there twice")
        pairs[key.strip()] = _item(type_, text)
    return pairs


def _item(type_: WireType, text: str) -> Any:
    if isinstance(type_, PrimitiveType) and type_.name == "str":
        return _text(text)
    if isinstance(type_, EnumType) and type_.accepts(text.strip()):
        return text.strip()
    return _parse(text.strip(), f"{text[:100]!r} is not of type {type_}")


def _parse(text: str, otherwise: str | None = None) -> Any:
    try:
        return parse_json(text)
    except orjson.JSONDecodeError as error:
        raise EditError(otherwise or fault_of_json(text, error)) from error


def _text(text: str) -> str:
    return text.replace("\r\n", "\n")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _has_row(value: Any) -> bool:
    return not isinstance(value, str) or (bool(value.strip()) and value == value.strip() and "\n" not in value)


def _options(type_: WireType, value: Any) -> Sequence[Option]:
    if not isinstance(type_, EnumType | FlagsType):
        return ()
    chosen = value if isinstance(type_, FlagsType) and isinstance(value, list) else [value]
    texts = {orjson.dumps(each).decode() for each in chosen}
    return [
        Option(text, option if isinstance(option := orjson.loads(text), str) and option else text, text in texts)
        for text in sorted(type_.option_texts)
    ]


def _limits(document: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {"minimum": "min", "maximum": "max"}
    return {known[name]: document[name] for name in known if isinstance(document.get(name), int | float)}


def _hint(document: Mapping[str, Any], kind: Kind) -> str:
    low, high, unit = document.get("minimum"), document.get("maximum"), document.get("x-unit") or document.get("unit")
    parts = []
    if kind in {"int", "float"}:
        parts = [
            f"{'at least' if name == 'minimum' else 'at most'} {each}"
            for name, each in (("minimum", low), ("maximum", high))
            if isinstance(each, int | float)
        ]
    if isinstance(unit, str):
        parts.append(f"in {unit}")
    if isinstance(document.get("description"), str):
        parts.append(document["description"])
    return ", ".join(parts)
