"""Writes the routes of the service into the page that asks for them, from the service's own OpenAPI document.

A page asks with a line ``<!-- routes: TAG -->``. A route whose tag no page asks for fails the build.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from heksherlite.service import embedded

_PLACE = re.compile(r"^<!-- routes: (.+) -->$", re.MULTILINE)
_NEEDED_SCOPE = "x-needed-scope"
_ALTERNATIVES = "x-alternative-scopes"


@cache
def openapi() -> dict[str, Any]:
    """Return what a service returns at ``/openapi.json``."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)  # a style of the highlighter makes the root logger print
    try:
        with embedded(context_features=["environment"]) as service:
            document: dict[str, Any] = httpx.get(f"{service.url}/openapi.json").raise_for_status().json()
    finally:
        logging.disable(before)
    return document


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path and the description of every route."""
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def tags() -> set[str]:
    """Return the tags of all routes."""
    return {tag for _, _, operation in operations() for tag in operation["tags"]}


def as_markdown(tag: str) -> str:
    """Return sections about the routes that have a tag.

    Raises:
        ExtensionError: If no route has it.
    """
    if tag not in tags():
        raise ExtensionError(f"no route has the tag {tag!r}; the tags are {', '.join(sorted(tags()))}")
    sections = (_section(*each) for each in operations() if tag in each[2]["tags"])
    return "\n".join(line for section in sections for line in section)


def _section(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    if operation.get("deprecated"):
        yield "*Deprecated.*\n"
    yield f"{operation['description']}\n"
    if scope := operation.get(_NEEDED_SCOPE):
        yield f"Required scope: {' or '.join(f'`{each}`' for each in (scope, *operation.get(_ALTERNATIVES, ())))}\n"
    yield from _table(
        ("parameter", "in", "type", "description"),
        [
            (
                f"`{each['name']}`{'' if each.get('required') else ' (optional)'}",
                each["in"],
                _type(each["schema"]),
                _text(each),
            )
            for each in operation.get("parameters", ())
        ],
    )
    if body := operation.get("requestBody"):
        yield from _fields("Request body", body.get("content", {}))
    yield from _table(
        ("status", "description", "body"),
        [
            (
                status,
                response["description"],
                ", ".join(f"`{media_type}`" for media_type in response.get("content", {})),
            )
            for status, response in sorted(operation["responses"].items())
        ],
    )
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield from _fields(f"Body of the {status} response", response.get("content", {}))


def _fields(title: str, content: dict[str, Any]) -> Iterator[str]:
    """Yield a table of the fields of a JSON object."""
    for media in content.values():
        schema = _resolved(media.get("schema", {}))
        required = schema.get("required", ())
        if rows := [
            (_name(name, required=name in required), _type(field), _text(field))
            for name, field in schema.get("properties", {}).items()
        ]:
            yield f"{title}:\n"
            yield from _table(("field", "type", "description"), rows)
            return


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        for row in (header, ("---",) * len(header), *rows):
            yield f"| {' | '.join(map(_cell, row))} |"
        yield ""


def _name(name: str, *, required: bool) -> str:
    return f"`{name}`" if required else f"`{name}` (optional)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _text(described: dict[str, Any]) -> str:
    schema = described.get("schema", described)
    text = described.get("description") or schema.get("description", "")
    default = schema.get("default")
    return text if default in (None, "") else f"{text} Default: `{default}`.".strip()


def _type(schema: dict[str, Any]) -> str:
    """Return a type in a few words."""
    schema = _resolved(schema)
    if options := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if values := schema.get("enum"):
        return " or ".join(f"`{value}`" for value in values)
    if "const" in schema:
        return f"`{schema['const']}`"
    kind: str = schema.get("type", "any JSON")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return kind


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if reference := schema.get("$ref"):
        found: dict[str, Any] = openapi()["components"]["schemas"][reference.rsplit("/", 1)[1]]
        return found
    return schema


def _write_routes(_app: Sphinx, _name: str, source: list[str]) -> None:
    source[0] = _PLACE.sub(lambda place: as_markdown(place[1]), source[0])


def _require_all_tags(app: Sphinx) -> None:
    text = "".join(path.read_text("utf-8") for path in Path(app.srcdir).rglob("*.md"))
    if missing := tags() - set(_PLACE.findall(text)):
        raise ExtensionError(f"no page has <!-- routes: TAG --> for {', '.join(sorted(missing))}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", _require_all_tags)
    app.connect("source-read", _write_routes)
    return {"parallel_read_safe": True}
