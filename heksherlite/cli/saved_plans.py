"""Plans in files: what ``heksherlite plan --out`` saves, and ``heksherlite apply`` makes exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import orjson

from heksherlite.cli.arguments import operations_in
from heksherlite.cli.planning import Plan
from heksherlite.names import PLAN_FORMAT
from heksherlite.operations import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION: Final = 1
_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS


def save_plan(plan: Plan, file: Path) -> None:
    """Write a plan into a file that only the user can read, because it contains values.

    Raises:
        click.ClickException: The file cannot be written.
    """
    from heksherlite.atomic_file import write_private_file

    saved = {
        "format": PLAN_FORMAT,
        "version": _VERSION,
        "base_revision": plan.base_revision,
        "operations": plan.operations,
    }
    try:
        write_private_file(file, [orjson.dumps(saved, Operation.as_json, _OPTIONS)])
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error


def read_plan(files: Sequence[str]) -> Plan | None:
    """Return a saved plan, whatever its file is called, or None if the files are not one.

    Raises:
        click.ClickException: It is a plan of another version.
        click.UsageError: It is not alone.
    """
    for name in files:
        if Path(name).suffix in {".yaml", ".yml", ".toml"}:
            continue
        try:
            content = orjson.loads(Path(name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and content.get("format") == PLAN_FORMAT:
            if len(files) > 1:
                raise click.UsageError(f"{name} is a plan; apply it alone.")
            if content.get("version") != _VERSION or not isinstance(content.get("base_revision"), str):
                raise click.ClickException(f"{name} is a plan of another version of heksherlite; make it again")
            return Plan(content["base_revision"], operations=operations_in(content.get("operations")))
    return None
