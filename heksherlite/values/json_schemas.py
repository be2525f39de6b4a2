"""JSON Schemas of wire types, and of settings: a wire type and the schema that narrows its values."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from heksherlite.values.wire_types import (
    EnumType,
    FlagsType,
    JsonType,
    MappingType,
    PrimitiveType,
    SequenceType,
    WireType,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema in which all schemas are written."""

_ANNOTATIONS: Final = frozenset({"$schema", "default", "description", "examples", "title", "unit"})

_NARROWEST: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}

_PRIMITIVES: Final = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


def schema_of_type(wire_type: WireType) -> dict[str, Any]:
    """Return the JSON Schema that accepts the values of a wire type, and no others."""
    match wire_type:
        case PrimitiveType():
            return {"type": _PRIMITIVES[wire_type.name]}
        case EnumType():
            return {"enum": _options(wire_type)}
        case FlagsType():
            return {"type": "array", "items": {"enum": _options(wire_type)}, "uniqueItems": True}
        case SequenceType():
            return {"type": "array", "items": schema_of_type(wire_type.item)}
        case MappingType():
            return {"type": "object", "additionalProperties": schema_of_type(wire_type.value)}
        case JsonType():
            return {}


def combined(wire_type: WireType, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the JSON Schema of the values that are of a wire type and satisfy a schema.

    Args:
        wire_type: The type.
        schema: The schema, or ``None`` if all values of the type are accepted.
    """
    return merged(schema_of_type(wire_type), schema or {})


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema of the values that satisfy two schemas. Descriptions are those of the second one."""
    both = {}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if first == second or key in _ANNOTATIONS:
            both[key] = second
        elif key in _NARROWEST:
            both[key] = _NARROWEST[key](first, second)
        elif key in {"items", "additionalProperties"} and isinstance(first, Mapping) and isinstance(second, Mapping):
            both[key] = merged(first, second)
        else:
            return {**other, "allOf": [*other.get("allOf", ()), dict(one)]}
    return {**one, **other, **both}


def _options(wire_type: EnumType | FlagsType) -> list[Any]:
    return [json.loads(text) for text in sorted(wire_type.option_texts)]
