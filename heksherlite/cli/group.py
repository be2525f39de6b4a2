"""``heksherlite group``: the configuration groups that applications get, and the secrets in them."""

import json
import sys
from typing import Any, Final, TextIO

import click

from heksherlite.cli.access_mode import AccessMode, access_options
from heksherlite.cli.applications import applications_argument, select
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, print_one, print_rows
from heksherlite.cli.target import Target, administration_of, target_options

_COLUMNS: Final = {"NAME": "name", "KEYS": "keys", "SECRETS": "secrets", "ATTACHED TO": "applications"}


@click.group(cls=CommandGroup)
def group() -> None:
    """Edit configuration groups and their secrets.

    A group is a JSON object. In it, {"$secret": "NAME"} stands for a secret, which is stored apart from it. An
    application gets the groups that are attached to it when it claims its configuration.
    """


@group.command(name="list")
@output_option
@target_options
def list_(output: FORMATS, target: Target) -> None:
    """List the groups, and the applications that get them."""
    from heksherlite.service.domain.groups import references

    administration = administration_of(target)
    groups, applications = administration.list_groups(), administration.list_applications()
    rows: list[dict[str, Any]] = []
    for name, values in groups.items():
        users = dict.fromkeys(known.identifier for known in applications if name in known.approval.groups)
        secrets = sorted(set(references(values)))
        rows.append({"name": name, "keys": list(values), "secrets": secrets, "applications": list(users)})
    if output == "table":
        rows = [{field: cell if field == "name" else ",".join(cell) for field, cell in row.items()} for row in rows]
    print_rows(output, rows, _COLUMNS)


@group.command()
@click.argument("name")
@output_option
@target_options
def show(name: str, output: FORMATS, target: Target) -> None:
    """Show the group NAME as JSON, without its secrets."""
    groups = administration_of(target).list_groups()
    if name not in groups:
        raise click.ClickException(f"there is no configuration group {name!r}; see heksherlite group list")
    print_one(output, groups[name], lambda: json.dumps(groups[name], indent=2, ensure_ascii=False))


@group.command(name="set")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@access_options
def set_(name: str, file: Any, mode: AccessMode) -> None:
    """Set the group NAME to the JSON object in FILE.

    By default, the object is read from the standard input.
    """
    from heksherlite.json_texts import parse_json

    longest = _longest()
    content = file.read(longest + 1)
    if len(content) > longest:
        raise click.ClickException(f"the group is too large; the limit is {longest} bytes")
    try:
        values = parse_json(content)
    except ValueError as error:
        raise click.ClickException(f"the group is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.ClickException('the group is not a JSON object such as {"host": "db.local"}')
    if not mode.dry_run:
        mode.administration.put_group(name, values)
    mode.report("set group", name)


@group.command()
@click.argument("name")
@access_options
def remove(name: str, mode: AccessMode) -> None:
    """Delete the group NAME, which must not be attached to an application."""
    administration = mode.administration
    if not mode.dry_run:
        administration.remove_group(name)
    elif name not in administration.list_groups():
        raise click.ClickException(f"there is no configuration group {name!r}; see heksherlite group list")
    mode.report("delete group", name)


@group.command()
@click.argument("name")
@applications_argument
@access_options
def attach(name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, mode: AccessMode) -> None:
    """Attach the group NAME to the applications with these IDs.

    They get the group when they claim their configuration next.
    """
    administration = mode.administration
    question = f"Attach the group {name!r} to these applications?"
    chosen = select(administration, ids, identifier, question=question, yes=yes or mode.dry_run)
    if not mode.dry_run:
        administration.attach(name, chosen)
    mode.report("attach group", name, *chosen)


@group.command()
@click.argument("name")
@applications_argument
@access_options
def detach(name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, mode: AccessMode) -> None:
    """Detach the group NAME from the applications with these IDs."""
    administration = mode.administration
    question = f"Detach the group {name!r} from these applications?"
    chosen = select(administration, ids, identifier, question=question, yes=yes or mode.dry_run)
    if not mode.dry_run:
        administration.detach(name, chosen)
    mode.report("detach group", name, *chosen)


@group.group()
def secret() -> None:
    """Set, list and delete the secrets that groups refer to."""


@secret.command(name="set")
@click.argument("name")
@access_options
def set_secret(name: str, mode: AccessMode) -> None:
    """Set the secret NAME.

    The value is read from the standard input. At a terminal, the command asks for it.
    """
    value = _read_secret(sys.stdin)
    if not mode.dry_run:
        mode.administration.put_secret(name, value)
    mode.report("set secret", name)


@secret.command(name="list")
@output_option
@target_options
def list_secrets(output: FORMATS, target: Target) -> None:
    """List the names of the secrets."""
    names = administration_of(target).list_secrets()
    if output == "table":
        for name in names:
            click.echo(name)
    else:
        print_rows(output, names, {})


@secret.command(name="remove")
@click.argument("name")
@access_options
def remove_secret(name: str, mode: AccessMode) -> None:
    """Delete the secret NAME, to which no group must refer."""
    administration = mode.administration
    if not mode.dry_run:
        administration.remove_secret(name)
    elif name not in administration.list_secrets():
        raise click.ClickException(f"there is no secret {name!r}; see heksherlite group secret list")
    mode.report("delete secret", name)


def _longest() -> int:
    from heksherlite.service.domain.limits import Limits

    return Limits().max_value_size


def _read_secret(source: TextIO) -> str:
    if source.isatty():
        value: str = click.prompt("Secret", hide_input=True, confirmation_prompt=True)
        return value
    longest = _longest()
    text = source.read(longest + 1)
    if len(text) > longest:
        raise click.ClickException(f"the secret is too long; the limit is {longest} characters")
    return text.removesuffix("\n").removesuffix("\r")  # a password file ends with one line break
