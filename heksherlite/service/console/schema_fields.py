"""What the JSON Schema of a part of a value means for the fields in which a person enters it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote

import orjson

FieldKind: TypeAlias = Literal["text", "number", "duration", "select", "set", "object", "list", "table", "json"]

UNITS: Final[Mapping[str, int]] = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
"""The units of a duration, in seconds."""

_FORMATS: Final[Mapping[str, str]] = {
    "date": "a date such as 2030-01-31",
    "date-time": "a date and time in UTC",
    "time": "a time such as 08:30:00",
    "uuid": "a UUID such as 3fa2b1c0-9d8e-4f6a-8b1c-2d3e4f5a6b7c",
    "ipv4": "an IPv4 address such as 192.0.2.1",
    "ipv6": "an IPv6 address such as 2001:db8::1",
    "email": "an e-mail address",
    "uri": "a URL",
}

_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}

_LARGE: Final = 1e12
"""Limits beyond it are those of a class of Python, and tell people nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a schema, with references replaced.

    Attributes:
        schema: The schema, without ``null``.
        is_nullable: Whether the value may also be null.
        kind: Which fields the part has.
    """

    schema: Mapping[str, Any]
    is_nullable: bool
    kind: FieldKind


def part_of(schema: Any, root: Mapping[str, Any]) -> Part:
    """Return a part of a schema.

    Args:
        schema: The part, as it stands in the schema.
        root: The whole schema, in which references are looked up. They form no circles, which the service checks.
    """
    found = _resolved(schema, root)
    is_nullable = False
    for keyword in ("anyOf", "oneOf"):
        branches = found.get(keyword)
        if isinstance(branches, list):
            others = [each for each in branches if not (isinstance(each, dict) and each.get("type") == "null")]
            if len(others) == 1 and len(branches) == 2:
                outer = {name: value for name, value in found.items() if name != keyword}
                found = {**_resolved(others[0], root), **outer}
                is_nullable = True
    type_ = found.get("type")
    if isinstance(type_, list) and "null" in type_ and len(type_) == 2:
        found = {**found, "type": next(each for each in type_ if each != "null")}
        is_nullable = True
    if isinstance(found.get("enum"), list) and None in found["enum"] and len(found["enum"]) > 1:
        found = {**found, "enum": [each for each in found["enum"] if each is not None]}
        is_nullable = True
    return Part(found, is_nullable, _kind(found, root))


def options_of(schema: Mapping[str, Any]) -> list[Any]:
    """Return the values from which a person selects one."""
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else [True, False]


def attributes_of(part: Part) -> dict[str, Any]:
    """Return the attributes of the input of a text or number."""
    schema = part.schema
    if part.kind == "duration":
        return {"type": "number", "step": "any"}
    if part.kind == "number":
        limits = {"minimum": "min", "maximum": "max"}
        found = {html: schema[name] for name, html in limits.items() if _tells(schema.get(name))}
        return {"type": "number", "step": "1" if schema.get("type") == "integer" else "any", **found}
    types = {"date": "date", "email": "email"}
    lengths = {"minLength": "minlength", "maxLength": "maxlength"}
    found = {html: schema[name] for name, html in lengths.items() if isinstance(schema.get(name), int)}
    return {"type": types.get(str(schema.get("format")), "text"), **found}


def hint_of(part: Part, *, is_optional: bool = False) -> str:
    """Return what is permitted, in words."""
    schema = part.schema
    parts = [schema["description"].strip()] if isinstance(schema.get("description"), str) else []
    if schema.get("format") in _FORMATS and part.kind == "text":
        parts.append(_FORMATS[schema["format"]])
    elif isinstance(schema.get("pattern"), str):
        is_decimal = schema["pattern"].startswith("^-?[0-9]+(\\.[0-9]+)?")
        parts.append("a decimal number such as 12.50" if is_decimal else f"matches {schema['pattern'][:100]}")
    parts += [text.format(schema[name]) for name, text in _LIMITS.items() if _tells(schema.get(name))]
    unit = schema.get("x-unit") or schema.get("unit")
    if isinstance(unit, str) and part.kind != "duration":
        parts.append(f"in {unit}")
    if is_optional and "default" in schema:
        parts.append(f"without it {orjson.dumps(schema['default']).decode()[:60]}")
    return "; ".join(parts)


def _tells(limit: Any) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and abs(limit) < _LARGE


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> FieldKind:
    type_ = schema.get("type")
    kind: FieldKind = "json"
    if "const" in schema or isinstance(schema.get("enum"), list) or type_ == "boolean":
        kind = "select"
    elif type_ in {"integer", "number"}:
        kind = "duration" if type_ == "number" and schema.get("unit") == "s" else "number"
    elif type_ == "string":
        kind = "text"
    elif type_ == "array" and isinstance(schema.get("items"), dict) and "prefixItems" not in schema:
        item = part_of(schema["items"], root)
        if not item.is_nullable:
            kind = "set" if schema.get("uniqueItems") and isinstance(item.schema.get("enum"), list) else "list"
    elif type_ == "object" and isinstance(schema.get("properties"), dict) and schema["properties"]:
        kind = "object"
    elif type_ == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = "table"
    return kind


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = dict(schema) if isinstance(schema, dict) else {}
    while "$ref" in found:
        reference = found.pop("$ref")
        target: Any = root
        for step in str(reference).split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            target = target[int(name)] if isinstance(target, list) else target[name]
        found = {**(target if isinstance(target, dict) else {}), **found}
    if isinstance(found.get("allOf"), list) and len(found["allOf"]) == 1:
        (inner,) = found.pop("allOf")
        found = {**_resolved(inner, root), **found}
    return found
