"""The setting type of pydantic's models and dataclasses. This module imports pydantic."""

import json
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import orjson
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from heksherlite.values.faults import Fault, ValueFaultsError
from heksherlite.values.library_types import LibraryType

T = TypeVar("T")


class PydanticType(LibraryType[T]):
    """The instances of a pydantic model or dataclass.

    pydantic converts them, in strict mode. Unknown keys are refused, unless the model has ``extra="ignore"``, which
    drops them with a coercion, or ``extra="allow"``.

    Args:
        type_: The class.

    Raises:
        TypeError: If pydantic cannot make a schema of it, or it has itself in a field.
    """

    __slots__ = ("_adapter", "_list_adapter")

    def __init__(self, type_: type[T]) -> None:
        self._adapter: Final[TypeAdapter[T]] = TypeAdapter(type_)
        self._list_adapter: Final[TypeAdapter[list[T]]] = TypeAdapter(list[type_])  # type: ignore[valid-type]
        try:
            schema = self._adapter.json_schema(schema_generator=_Schema)
        except PydanticUserError as error:
            raise TypeError(f"{type_.__name__} cannot be the type of a setting: {error}") from error
        super().__init__(type_, schema)

    def make(self, x: Any) -> T:
        """Return the instance of an object. Raise :class:`ValueFaultsError` if it has faults."""
        try:
            return self._adapter.validate_json(_dumped(x), strict=True)
        except ValidationError as error:
            raise ValueFaultsError([Fault(each["loc"], each["msg"]) for each in error.errors()]) from error

    def make_all(self, xs: Sequence[Any]) -> Sequence[T]:
        """Return the instances of objects. Raise :class:`ValueFaultsError` if one has faults."""
        try:
            return self._list_adapter.validate_json(_dumped(xs), strict=True)
        except ValidationError as error:
            raise ValueFaultsError([Fault(each["loc"], each["msg"]) for each in error.errors()]) from error

    def unmake(self, x: T) -> Any:
        """Return the object of an instance. Raise :class:`TypeError` if it is not valid."""
        try:
            return self._adapter.dump_python(x, mode="json", by_alias=True, warnings="error")
        except ValueError as error:
            raise TypeError(str(error)) from error


def _dumped(x: Any) -> bytes | str:
    try:
        return orjson.dumps(x)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return json.dumps(x)


class _Schema(GenerateJsonSchema):
    """Refuses unknown keys for models that do not say what to do with them."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        shown = super().model_schema(schema)
        if getattr(schema["cls"], "model_config", {}).get("extra") is None:
            # A model in which this one is a field refers to it.
            target = shown if "properties" in shown else self.resolve_ref_schema(shown)
            target.setdefault("additionalProperties", False)
        return shown

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        shown = super().dataclass_schema(schema)
        if getattr(schema["cls"], "__pydantic_config__", {}).get("extra") is None:
            shown.setdefault("additionalProperties", False)
        return shown
