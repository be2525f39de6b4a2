"""The fields of objects, lists and tables of them, and of texts and numbers with a format: made from the schema.

The name of each field has the path to what it contains, such as ``v$.hosts[2].port``. What is still to be entered has
fields as well: some empty rows, and whatever is optional.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson

from heksherlite.service.console.field_reader import MISSING, SIMPLE, Raw, Steps, moment_of
from heksherlite.service.console.schema_fields import (
    UNITS,
    FieldKind,
    Part,
    attributes_of,
    hint_of,
    options_of,
    part_of,
)
from heksherlite.service.domain.value_schemas import path_of

_MOST_FIELDS: Final = 400
"""A value with more fields is edited as JSON."""


@dataclass(slots=True)
class Node:
    """A field, or a group of fields.

    Attributes:
        id: The id of the field on the page.
        name: What the names of the fields end with.
        kind: Which fields there are.
        label: What the field is called.
        text: What the field contains.
        options: JSON, label and whether it is chosen, of each option.
        children: The fields inside.
        keys: The key of each row of a table.
        may_be_absent: Whether the value may be left out or null.
        is_given: Whether it is there.
        absent: What it is called that there is none.
        hint: What is permitted, in words.
        fault: Why what was entered is not a value.
        attributes: The attributes of the input.
        is_new_entry: Whether it is an empty row of a list.
        unit: The unit of a duration.
        origin: What the value was: ``absent``, or a time that the field shows in another form.
    """

    id: str
    name: str
    kind: FieldKind
    label: str
    text: str = ""
    options: Sequence[tuple[str, str, bool]] = ()
    children: list["Node"] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    may_be_absent: bool = False
    is_given: bool = True
    absent: str = ""
    hint: str = ""
    fault: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_new_entry: bool = False
    unit: str = "seconds"
    origin: str = ""


class Builder:
    """Makes the fields of a value.

    Args:
        schema: The whole schema.
        faults: Why what was entered is not a value, by the path to it.
    """

    def __init__(self, schema: Mapping[str, Any], faults: Mapping[str, str]) -> None:
        self._root = schema
        self._faults = faults
        self._ids = count(1)
        self.size = 0
        self.shown: set[str] = set()

    def node(
        self,
        schema: Any,
        value: Any,
        at: Steps,
        to: Steps,
        label: str,
        *,
        is_optional: bool = False,
        is_row: bool = False,
    ) -> Node:
        """Return the fields of a part of a value.

        Args:
            schema: The schema of the part.
            value: The part.
            at: The path to its fields, which numbers the rows of a table.
            to: The path to it in the value, which has the keys of tables.
            label: What it is called.
            is_optional: Whether it may be left out.
            is_row: Whether it is a row of a list or table, which may be removed.
        """
        self.size += 1
        part = part_of(schema, self._root)
        kind = part.kind
        is_given = value is not MISSING and not (value is None and part.is_nullable)
        was_null = value is None
        if not is_given:
            value = MISSING
        elif not _fits(part, value):
            kind = "json"
        path = path_of(to)
        self.shown.add(path)
        node = Node(f"e{next(self._ids)}", path_of(at), kind, label)
        node.hint = hint_of(part, is_optional=is_optional)
        node.fault = self._faults.get(path, "")
        removable = is_row and kind not in SIMPLE
        node.may_be_absent = is_optional or part.is_nullable or removable
        node.is_given = is_given
        node.is_new_entry = removable and not is_given
        node.origin = "absent" if value is MISSING and is_optional and not was_null else ""
        node.absent = "Keep this entry" if removable else "Set" if is_optional and not part.is_nullable else "Not null"
        if self.size < _MOST_FIELDS:
            self._fill(node, part, value, at, to)
        return node

    def _fill(self, node: Node, part: Part, value: Any, at: Steps, to: Steps) -> None:
        schema = part.schema
        if isinstance(value, Raw):
            node.text = value.text
        match node.kind:
            case "text" | "number" | "duration":
                _fill_input(node, part, value)
            case "select" | "set":
                node.options = self._options(node.kind, part, value)
            case "object":
                given = value if isinstance(value, dict) else {}
                required = schema.get("required", ())
                node.children = [
                    self.node(
                        inner,
                        given.get(name, MISSING),
                        [*at, name],
                        [*to, name],
                        name,
                        is_optional=name not in required,
                    )
                    for name, inner in schema["properties"].items()
                ]
            case "list" | "table":
                self._fill_rows(node, schema, value, at, to)
            case "json":
                if value is not MISSING and not isinstance(value, Raw):
                    node.text = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=_text_of_raw).decode()

    def _options(self, kind: FieldKind, part: Part, value: Any) -> Sequence[tuple[str, str, bool]]:
        given = value if kind == "set" and isinstance(value, list) else [value]
        chosen = [orjson.dumps(each) for each in given if each is not MISSING and not isinstance(each, Raw)]
        schema = part_of(part.schema["items"], self._root).schema if kind == "set" else part.schema
        texts = [(orjson.dumps(each), _label(each)) for each in options_of(schema)]
        return [(text.decode(), label, text in chosen) for text, label in texts]

    def _fill_rows(self, node: Node, schema: Mapping[str, Any], value: Any, at: Steps, to: Steps) -> None:
        if node.kind == "table":
            pairs = [*(value.items() if isinstance(value, dict) else ()), *[("", MISSING)] * 2]
            node.keys = [key for key, _ in pairs]
            items, inner = [item for _, item in pairs], schema["additionalProperties"]
        else:
            inner = schema["items"]
            blanks = 3 if part_of(inner, self._root).kind in SIMPLE else 1
            items = [*(value if isinstance(value, list) else ()), *[MISSING] * blanks]
        for index, item in enumerate(items):
            step = node.keys[index] or index if node.kind == "table" else index
            label = f"{node.label} {index + 1}"
            child = self.node(inner, item, [*at, index], [*to, step], label, is_row=node.kind == "list")
            node.children.append(child)


def fields_of(schema: Mapping[str, Any], value: Any, faults: Mapping[str, str]) -> tuple[Node | None, Sequence[str]]:
    """Return the fields of a value, and the faults that stand beside none of them.

    Args:
        schema: The whole schema.
        value: The value, or what `Reader` returned.
        faults: Why what was entered is not a value, by the path to it.

    Returns:
        The fields, or None if the value has too many or its schema says nothing about them.
    """
    builder = Builder(schema, faults)
    node = builder.node(schema, value, [], [], "Value")
    others = [f"{path}: {fault}" for path, fault in faults.items() if path not in builder.shown]
    if node.kind == "json" or builder.size >= _MOST_FIELDS:
        return None, others
    return node, others


def _fits(part: Part, value: Any) -> bool:
    """Return whether the fields of a part can show a value without loss."""
    schema = part.schema
    shown_without_loss: Mapping[FieldKind, Callable[[], bool]] = {
        "object": lambda: isinstance(value, dict) and value.keys() <= schema["properties"].keys(),
        "table": lambda: isinstance(value, dict) and all(key and key == key.strip() for key in value),
        "list": lambda: isinstance(value, list) and all(not isinstance(each, str) or each.strip() for each in value),
        "set": lambda: isinstance(value, list),
        "text": lambda: isinstance(value, str) and "\r" not in value,
        "number": lambda: isinstance(value, int | float) and not isinstance(value, bool),
        "duration": lambda: isinstance(value, int | float) and not isinstance(value, bool),
        "select": lambda: orjson.dumps(value) in map(orjson.dumps, options_of(schema)),
    }
    return isinstance(value, Raw) or part.kind == "json" or shown_without_loss[part.kind]()


def _fill_input(node: Node, part: Part, value: Any) -> None:
    node.attributes = attributes_of(part)
    if value is not MISSING and not isinstance(value, Raw):
        if node.kind == "duration":
            node.text, node.unit = _in_units(value)
        else:
            node.text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if part.schema.get("format") == "date-time" and (not node.text or moment_of(node.text) is not None):
        node.attributes = {"type": "datetime-local", "step": "1"}
        node.origin = node.origin or node.text
        node.text = moment_of(node.text) or ""


def _in_units(seconds: float) -> tuple[str, str]:
    """Return a duration as a number and its largest unit that makes it a whole number."""
    units = [name for name, size in UNITS.items() if seconds and seconds % size == 0]
    unit = units[-1] if units else "seconds"
    number = seconds / UNITS[unit]
    return (str(int(number)) if number == int(number) else repr(number)), unit


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "On (true)" if value else "Off (false)"
    return value if isinstance(value, str) and value else orjson.dumps(value).decode()


def _text_of_raw(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    raise TypeError(f"{value!r} is not JSON")
