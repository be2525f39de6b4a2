"""Schemas of values: what the service accepts as one, and what is wrong with a value.

The patterns of a schema are matched in linear time, and its references stay inside and do not form circles, so that
no schema can make the check of a value endless.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson
from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from heksherlite.service.domain.json_values import Json, same_json
from heksherlite.service.errors import InvalidError, TooLargeError
from heksherlite.values.json_schemas import DIALECT
from heksherlite.values.schema_formats import READERS, is_of_format

MAX_SCHEMA_SIZE: Final = 2**16
"""The maximum size of a schema, in bytes of JSON."""

MAX_SCHEMA_DEPTH: Final = 64
"""The maximum number of schemas inside each other, by nesting or by reference."""

MAX_SCHEMA_PARTS: Final = 2_000
"""The maximum number of schemas in a schema, when each reference counts as what it refers to."""

MAX_CHECKS: Final = 10_000_000
"""The maximum number of parts of a value, times the number of parts of its schema: the check takes seconds then."""

_MAX_LISTED_CHECKS: Final = 50_000
"""The same up to which all faults are looked for, and not only the first one: this takes a hundred times longer."""

_CHARACTERS: Final = 32
"""The number of characters of a text that count as a part of a value."""

_LISTED: Final = 10
"""The maximum number of faults of a value that a message lists."""

_LONGEST: Final = 300
"""The maximum number of characters of a fault."""

_FORMATS: Final[dict[str, Callable[..., bool]]] = {name: partial(is_of_format, name) for name in READERS}
_PATTERNS: Final = RegexOptions(size_limit=2**20, dfa_size_limit=2**22)

_SCHEMA: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST_OF_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS_BY_NAME: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_DEFINITIONS: Final = frozenset({"$defs", "definitions"})
_REFUSED: Final = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"})


class ValueSchema:
    """The schema of a setting, in JSON Schema 2020-12. It is compiled once, when it is first used.

    Args:
        document: The schema, as JSON. It is checked by `check` only.
    """

    __slots__ = ("_parts", "_validator", "document")

    def __init__(self, document: Json) -> None:
        self.document: Final = document
        self._validator: Draft202012Validator | None = None
        self._parts = 0

    def __repr__(self) -> str:
        return f"ValueSchema({self.document!r:.200})"

    def check(self) -> None:
        """Check that the schema is one that the service can enforce.

        Raises:
            TooLargeError: It has more than `MAX_SCHEMA_SIZE` bytes.
            InvalidError: It is not a valid schema, it refers to something outside or to itself, it is too deep or
                expands to too many parts, or one of its patterns cannot be matched in linear time.
        """
        size = len(orjson.dumps(self.document))
        if size > MAX_SCHEMA_SIZE:
            raise TooLargeError(f"the schema has {size} bytes; the maximum is {MAX_SCHEMA_SIZE}")
        try:
            self._compiled()
        except ValidationError as error:
            problem = f"{path_of(error.instance_path)}: {_shortened(error.message)}"
            if 'is not a "regex"' in error.message:
                problem += "; patterns may have neither look-around nor back-references, and must not be large"
            raise InvalidError(f"the schema is invalid: {problem}", location=("body", "schema")) from error
        except ValueError as error:
            raise InvalidError(f"the schema is invalid: {error}", location=("body", "schema")) from error

    def faults(self, value: Json) -> list[str]:
        """Return where and why a value does not satisfy the schema: ``$.hosts[2]: "" should be non-empty``.

        The list is empty if the value satisfies it, and has ten faults at most.
        """
        try:
            validator = self._compiled()
        except ValueError as unusable:  # of a schema that another version of the service accepted
            return [f"the schema cannot be used: {_shortened(str(unusable))}"]
        checks = _parts_of(value) * self._parts
        if checks > MAX_CHECKS:
            return [f"$: the value is too large for a schema of {self._parts} parts"]
        if validator.is_valid(value):
            return []
        errors = validator.iter_errors(value) if checks <= _MAX_LISTED_CHECKS else [_first_error(validator, value)]
        found = list(dict.fromkeys(fault for error in errors for fault in _faults(error)))
        return found if len(found) <= _LISTED else [*found[:_LISTED], "there is more"]

    def _compiled(self) -> Draft202012Validator:
        if self._validator is None:
            self._parts = _Parts(self.document).count()
            self._validator = Draft202012Validator(
                self.document,
                validate_formats=True,
                formats=_FORMATS,
                pattern_options=_PATTERNS,
                offline=True,
            )
        return self._validator


def same_schema(one: ValueSchema | None, other: ValueSchema | None) -> bool:
    """Return whether two schemas are equal as JSON, or both are missing."""
    if one is None or other is None:
        return one is other
    return same_json(one.document, other.document)


def path_of(steps: "list[str | int]") -> str:
    """Return the path to a part of a JSON value: ``$.hosts[2]``."""
    return "$" + "".join(_step(step) for step in steps)


def _step(step: str | int) -> str:
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    return f"[{orjson.dumps(step).decode()}]"


def _first_error(validator: Draft202012Validator, value: Json) -> ValidationError:
    try:
        validator.validate(value)
    except ValidationError as error:
        return error
    raise AssertionError("the value was found invalid before")


def _parts_of(value: Json) -> int:
    """Return the number of parts of a value, where long texts count several times."""
    parts = 0
    pending = [value]
    while pending:
        part = pending.pop()
        parts += 1
        if isinstance(part, str):
            parts += len(part) // _CHARACTERS
        elif isinstance(part, dict):
            parts += sum(map(len, part)) // _CHARACTERS
            pending += part.values()
        elif isinstance(part, list | tuple):
            pending += part
    return parts


def _faults(error: ValidationError) -> Iterator[str]:
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.AnyOf | ValidationErrorKind.OneOfNotValid):
        # What may be null has its faults in the branch of what is not null.
        branches = [branch for branch in kind.context if not _only_wants_null(branch)]
        if len(branches) == 1 and len(kind.context) > 1:
            for inner in branches[0]:
                yield from _faults(inner)
            return
    message = error.message
    if isinstance(kind, ValidationErrorKind.MinLength | ValidationErrorKind.MinItems) and kind.limit == 1:
        message = f"{orjson.dumps(error.instance).decode()} should be non-empty"
    yield f"{path_of(error.instance_path)}: {_shortened(message)}"


def _only_wants_null(branch: list[ValidationError]) -> bool:
    return len(branch) == 1 and branch[0].message.endswith('is not of type "null"')


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:200]}...{text[-80:]}"


class _Parts:
    """Checks the parts of a schema and their references.

    Args:
        document: The schema.
    """

    def __init__(self, document: Json) -> None:
        self._document = document
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def count(self) -> int:
        """Return the number of parts. Raise :class:`ValueError` if a part is not allowed."""
        if not isinstance(self._document, dict):
            raise ValueError(f"{_shortened(repr(self._document))} is not an object")  # noqa: TRY004 - as for the others
        dialect = self._document.get("$schema", DIALECT)
        if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
            raise ValueError(f"$schema is {dialect!r:.100}; only {DIALECT} is supported")
        size = self._size(self._document, "#", 0)
        if size > MAX_SCHEMA_PARTS:
            raise ValueError(f"with its references, it has more than {MAX_SCHEMA_PARTS} parts")
        return size

    def _size(self, part: Json, place: str, depth: int) -> int:
        """Return the number of schemas in a part, with those that it refers to."""
        if not isinstance(part, dict):
            return 1
        if id(part) in self._sizes:
            return self._sizes[id(part)]
        if id(part) in self._open:
            raise ValueError(f"{place} refers to itself")
        if depth > MAX_SCHEMA_DEPTH:
            raise ValueError(f"{place} is more than {MAX_SCHEMA_DEPTH} levels deep")
        if refused := sorted(_REFUSED & part.keys()) or (depth > 0 and "$id" in part and ["$id"]):
            raise ValueError(f"{place} has {refused[0]}, which is not supported")
        self._open.add(id(part))
        size = 1
        for inner, inner_place, counts in self._inner(part, place):
            size += self._size(inner, inner_place, depth + 1) * counts
        self._open.remove(id(part))
        self._sizes[id(part)] = size = min(size, MAX_SCHEMA_PARTS + 1)
        return size

    def _inner(self, part: dict[str, Any], place: str) -> Iterator[tuple[Json, str, bool]]:
        """Yield the schemas directly in a part, where each one is, and whether values are checked by it."""
        for keyword, value in part.items():
            inner_place = f"{place}/{keyword}"
            if keyword == "$ref":
                yield self._referred(value, inner_place), str(value), True
            elif keyword in _SCHEMA:
                yield value, inner_place, True
            elif keyword in _LIST_OF_SCHEMAS and isinstance(value, list):
                yield from ((inner, f"{inner_place}/{index}", True) for index, inner in enumerate(value))
            elif keyword in _SCHEMAS_BY_NAME | _DEFINITIONS and isinstance(value, Mapping):
                is_checked = keyword not in _DEFINITIONS
                yield from ((inner, f"{inner_place}/{name}", is_checked) for name, inner in value.items())

    def _referred(self, reference: Json, place: str) -> Json:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise ValueError(f"{place} is {reference!r:.100}; only references inside the schema, #/..., are allowed")
        found: Json = self._document
        for step in reference.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise ValueError(f"{place} refers to {reference!r:.100}, which does not exist")
        return found
