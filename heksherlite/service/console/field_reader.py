"""Reads what a person entered into the fields of an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import orjson

from heksherlite.json_texts import parse_json
from heksherlite.service.console.schema_fields import UNITS, Part, part_of
from heksherlite.service.domain.value_schemas import path_of
from heksherlite.service.pages.form import Form

Steps: TypeAlias = list[str | int]

SIMPLE: Final = frozenset({"text", "number", "duration", "select"})
"""The kinds that have one field. A list has empty ones to add items."""

MISSING: Final[Any] = object()
"""Stands for a value that is not there."""

_MOST_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Raw:
    """A text that a person entered where it is not a value."""

    text: str


class Reader:
    """Reads what a person entered into the fields.

    Args:
        schema: The whole schema.
        form: The form.

    Attributes:
        faults: Why what was entered is not a value, by the path to it.
    """

    def __init__(self, schema: Mapping[str, Any], form: Form) -> None:
        self._root = schema
        self._form = form
        self.faults: dict[str, str] = {}

    def read(self) -> Any:
        """Return the value. `Raw` stands for what is at fault."""
        value = self._part(self._root, [], [])
        return None if value is MISSING else value

    def _part(self, schema: Any, at: Steps, to: Steps, *, is_optional: bool = False, is_row: bool = False) -> Any:
        part = part_of(schema, self._root)
        name = path_of(at)
        kind = "json" if self._form.text(f"j{name}") else part.kind
        texts = self._form.texts(f"v{name}")
        text = (texts or [""])[-1].replace("\r\n", "\n")
        can_be_removed = is_row and kind not in SIMPLE
        if is_row and kind in SIMPLE and not text.strip():
            return MISSING
        if (is_optional or part.is_nullable or can_be_removed) and not self._form.text(f"g{name}"):
            if kind in {"text", "number", "duration"} and text.strip():
                return self._fault(to, "tick the box to set a value, or empty the field", text)
            was_absent = is_optional and self._form.text(f"o{name}") == "absent"
            return None if part.is_nullable and not was_absent else MISSING
        if kind in {"object", "list", "table"}:
            inside = {"object": self._object, "list": self._list, "table": self._table}[kind]
            return inside(part, at, to)
        if kind == "set":
            return [self._json(each, to, "this is no option") for each in texts]
        return self._simple(part, kind, text, at, to)

    def _simple(self, part: Part, kind: str, text: str, at: Steps, to: Steps) -> Any:
        match kind:
            case "text":
                is_time = part.schema.get("format") == "date-time"
                return _time(text, self._form.text(f"o{path_of(at)}")) if is_time else text
            case "number":
                return self._json(text, to, "enter a number")
            case "duration":
                number = self._json(text, to, "enter a number")
                unit = UNITS.get(self._form.text(f"u{path_of(at)}"), 1)
                return number * unit if isinstance(number, int | float) else number
            case "select":
                return self._json(text, to, "choose a value")
        return self._json(text, to, "this is not JSON")

    def _object(self, part: Part, at: Steps, to: Steps) -> dict[str, Any]:
        required = part.schema.get("required", ())
        read = {
            name: self._part(inner, [*at, name], [*to, name], is_optional=name not in required)
            for name, inner in part.schema["properties"].items()
        }
        return {name: value for name, value in read.items() if value is not MISSING}

    def _list(self, part: Part, at: Steps, to: Steps) -> list[Any]:
        found: list[Any] = []
        for index in range(self._rows(at)):
            value = self._part(part.schema["items"], [*at, index], [*to, len(found)], is_row=True)
            if value is not MISSING:
                found.append(value)
        return found

    def _table(self, part: Part, at: Steps, to: Steps) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index in range(self._rows(at)):
            key = self._form.text(f"k{path_of([*at, index])}")
            if key:
                value = self._part(part.schema["additionalProperties"], [*at, index], [*to, key])
                if key in found:
                    self._fault(to, f"the key {key[:100]!r} is there twice", "")
                found[key] = None if value is MISSING else value
        return found

    def _rows(self, at: Steps) -> int:
        text = self._form.text(f"n{path_of(at)}")
        return min(int(text), _MOST_ROWS) if text.isascii() and text.isdigit() and len(text) < 6 else 0

    def _json(self, text: str, to: Steps, otherwise: str) -> Any:
        try:
            value = parse_json(text)
        except orjson.JSONDecodeError:
            return self._fault(to, otherwise if not text.strip() else f"{otherwise}; this is {text[:60]!r}", text)
        if otherwise == "enter a number" and (isinstance(value, bool) or not isinstance(value, int | float)):
            return self._fault(to, f"{otherwise}; this is {text[:60]!r}", text)
        return value

    def _fault(self, to: Steps, reason: str, text: str) -> Raw:
        self.faults.setdefault(path_of(to), reason)
        return Raw(text)


def _time(text: str, origin: str) -> str:
    """Return a time that was entered in UTC. What nobody touched stays as it was."""
    whole = f"{text}:00" if text.count(":") == 1 else text  # browsers leave out seconds that are 0
    if whole and whole == moment_of(origin):
        return origin
    return text if moment_of(f"{whole}Z") is None else f"{whole}Z"


def moment_of(text: str) -> str | None:
    """Return a time with an offset as the field for times shows it, or None if it cannot."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None or time.microsecond:
        return None
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
