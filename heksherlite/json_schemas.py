"""JSON Schemas of wire types, and of settings: a wire type and the schema that narrows its values."""

import json
from collections.abc import Mapping
from typing import Any, Final

from heksherlite.wire_types import EnumType, FlagsType, JsonType, MappingType, PrimitiveType, SequenceType, WireType

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema in which all schemas are written."""

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
    """Return a schema of the values that satisfy two schemas, in the shortest form that is simple to find."""
    inner = {"items", "additionalProperties"} & one.keys() & other.keys()
    conflicting = [key for key in one.keys() & other.keys() - inner if one[key] != other[key]]
    if conflicting or any(not isinstance(each[key], Mapping) for key in inner for each in (one, other)):
        return {**other, "allOf": [*other.get("allOf", ()), dict(one)]}
    return {**one, **other, **{key: merged(one[key], other[key]) for key in sorted(inner)}}


def _options(wire_type: EnumType | FlagsType) -> list[Any]:
    return [json.loads(text) for text in sorted(wire_type.option_texts)]
