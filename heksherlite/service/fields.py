"""The field types of requests: their validation and their descriptions for OpenAPI."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictStr,
    WithJsonSchema,
)

from heksherlite import names
from heksherlite.errors import TypeStringError
from heksherlite.service.domain import versions
from heksherlite.service.domain.lineage import REVISION_NAME
from heksherlite.service.domain.times import read_time
from heksherlite.service.domain.versions import Version
from heksherlite.values.type_strings import parse_type
from heksherlite.values.wire_types import WireType


class ResponseBody(BaseModel):
    """A JSON object of a response, for OpenAPI. Pydantic analyzes it when it is first used."""

    model_config = ConfigDict(defer_build=True)


class RequestBody(BaseModel):
    """A JSON object. Types are not converted, and unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", arbitrary_types_allowed=True)


def _matching(pattern: re.Pattern[str], what: str, allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(f"{text[:100]!r} is not a valid {what}: use {allowed}")
        return text

    return check


def _number_as_text(value: Any) -> Any:
    """Return a number as text, because clients in shell, PHP and YAML send numbers where the API has strings."""
    if isinstance(value, str):  # nearly always
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _empty_list_as_object(value: Any) -> Any:
    """Return an empty list as an empty object, because both are the same in PHP."""
    return {} if value == [] else value


def _context_feature_value(text: str) -> str:
    if not names.is_context_feature_value(text):
        raise ValueError(
            f"{text[:100]!r} is not a valid context feature value: use {names.CONTEXT_FEATURE_VALUE_ALLOWED}"
        )
    return text


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


def _read_type(text: Any) -> WireType:
    if not isinstance(text, str):
        raise ValueError("a type must be a string")  # noqa: TRY004  # pydantic turns ValueErrors into responses
    try:
        return parse_type(text)
    except TypeStringError as error:
        raise ValueError(str(error)) from error


def _read_version(text: Any) -> Version:
    text = _number_as_text(text)
    if not isinstance(text, str):
        raise ValueError("a version must be a string")  # noqa: TRY004  # pydantic turns ValueErrors into responses
    return Version.parse(text)


def _read_time(text: Any) -> datetime:
    if not isinstance(text, str):
        raise ValueError("a time must be a string")  # noqa: TRY004  # pydantic turns ValueErrors into responses
    return read_time(text)


def distinct(names: list[str]) -> list[str]:
    """Return the names if all of them are distinct.

    Raises:
        ValueError: A name is repeated.
    """
    if len(set(names)) != len(names):
        raise ValueError("the names must be distinct")
    return names


ContextFeatureName: TypeAlias = Annotated[
    StrictStr,
    AfterValidator(
        _matching(names.CONTEXT_FEATURE_NAME, "context feature name", "1 to 1000 letters from a to z, digits and _")
    ),
    _schema(names.CONTEXT_FEATURE_NAME.pattern, "environment"),
]
DistinctFeatures: TypeAlias = Annotated[
    list[ContextFeatureName],
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
    AfterValidator(distinct),
]
ContextFeatureValue: TypeAlias = Annotated[
    StrictStr,
    BeforeValidator(_number_as_text),
    AfterValidator(_context_feature_value),
    _schema(names.CONTEXT_FEATURE_VALUE.pattern, "dev"),
]
SettingName: TypeAlias = Annotated[
    StrictStr,
    AfterValidator(_matching(names.SETTING_NAME, "setting name", "1 to 1000 letters from a to z, digits, _ and .")),
    _schema(names.SETTING_NAME.pattern, "cache_ttl"),
]
MetadataKey: TypeAlias = Annotated[
    StrictStr,
    AfterValidator(_matching(names.METADATA_KEY, "metadata key", "letters from a to z, digits, _ and -")),
    _schema(names.METADATA_KEY.pattern, "owner"),
]
Metadata: TypeAlias = Annotated[dict[MetadataKey, Any], BeforeValidator(_empty_list_as_object)]
SettingType: TypeAlias = Annotated[
    WireType,
    PlainValidator(_read_type),
    WithJsonSchema({"type": "string", "examples": ["int", 'Enum["dark","bright"]', "Sequence<str>"]}),
]
SettingVersion: TypeAlias = Annotated[Version, PlainValidator(_read_version), _schema(versions.PATTERN, "1.0")]

Time: TypeAlias = Annotated[
    datetime,
    PlainValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-01-31T12:00:00Z"]}),
]
"""A time in ISO 8601. A time without an offset is in UTC."""

BaseRevision: TypeAlias = Annotated[
    Annotated[int, Field(ge=0, le=2**63 - 1)]
    | Annotated[
        str,
        AfterValidator(
            _matching(REVISION_NAME, "name of a revision", "a name that the service gave, such as 17-3fa2b1c09d8e")
        ),
        _schema(REVISION_NAME.pattern, "17-3fa2b1c09d8e"),
    ]
    | None,
    Field(
        default=None,
        description="The revision that the author looked at: its number or its name, such as `17-3fa2b1c09d8e`. What"
        " others changed since is a conflict. A name of another database is a conflict too.",
    ),
]
