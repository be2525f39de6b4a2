"""What commands print: tables for people, and JSON, JSON lines or YAML for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import click
import orjson

from heksherlite.cli.tables import print_table
from heksherlite.operations import NOT_GIVEN, Operation

FORMATS: TypeAlias = Literal["table", "json", "jsonl", "yaml"]

output_option: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "jsonl", "yaml"]),
    default="table",
    show_default=True,
    help="How to print the result: a table for people, or JSON, one JSON object per line, or YAML for programs.",
)


def plain(value: Any) -> Any:
    """Return a value as JSON: dataclasses as objects without the fields that are not given, times in UTC."""
    if isinstance(value, Operation):
        value = value.as_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return {name: plain(each) for name, each in fields.items() if each is not NOT_GIVEN}
    if (as_dictionary := getattr(value, "_asdict", None)) is not None:  # a named tuple
        value = as_dictionary()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def print_rows(output: FORMATS, rows: Sequence[Any], columns: Mapping[str, str]) -> None:
    """Print a list.

    Args:
        output: How.
        rows: Its items: mappings or dataclasses.
        columns: The titles of the columns of the table, each with the field that it shows.
    """
    shown = plain(rows)
    if output == "table":
        print_table([*columns], [[cell(row.get(name)) for name in columns.values()] for row in shown])
    elif output == "jsonl":
        for row in shown:
            click.echo(orjson.dumps(row))
    else:
        _print(output, shown)


def print_one(output: FORMATS, value: Any, describe: Callable[[], str]) -> None:
    """Print one thing.

    Args:
        output: How.
        value: What, as a value.
        describe: Returns the text for people.
    """
    if output == "table":
        click.echo(describe())
    elif output == "jsonl":
        click.echo(orjson.dumps(plain(value)))
    else:
        _print(output, plain(value))


def cell(value: Any) -> str:
    """Return what a table shows of a value."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else as_text(value)


def as_text(value: Any) -> str:
    """Return a value of a setting as JSON in one line."""
    return orjson.dumps(value).decode()


def conditions_text(conditions: Mapping[str, str]) -> str:
    """Return the conditions of a rule, as ``--where`` takes them."""
    return ",".join(map("=".join, conditions.items()))


def _print(output: FORMATS, shown: Any) -> None:
    if output == "json":
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
    else:
        import yaml

        click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False)
