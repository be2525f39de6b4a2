"""``heksherlite group``: the configuration groups that applications get, and the secrets in them."""

import json
import sys
from dataclasses import replace
from typing import Any, Final, TextIO

import click
import orjson

from heksherlite.cli.database import cause, in_access_store, reason_option
from heksherlite.cli.location import database_option
from heksherlite.cli.tables import print_table
from heksherlite.service.domain.applications import Approval
from heksherlite.service.domain.groups import Group, references
from heksherlite.service.domain.limits import Limits
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.groups import Groups

_TITLES: Final = ("NAME", "KEYS", "SECRETS", "ATTACHED TO")
_LONGEST: Final = Limits().max_value_size


@click.group()
def group() -> None:
    """Edit configuration groups, and attach them to applications.

    A group is a JSON object. {"$secret": "NAME"} in it stands for a secret, which is set apart from it. An application
    gets what is there when it claims its configuration.
    """


@group.command(name="list")
@database_option
def list_(database: str | None) -> None:
    """List the groups, and which applications get them."""
    groups = in_access_store(database, lambda access: Groups(access).all())
    applications = in_access_store(database, lambda access: Applications(access).all())
    rows = []
    for each in groups:
        users = dict.fromkeys(known.identifier for known in applications if each.name in known.approval.groups)
        texts = (each.values, sorted(set(references(each.values))), users)
        rows.append((each.name, *(",".join(text) or "-" for text in texts)))
    print_table(_TITLES, rows)


@group.command()
@click.argument("name")
@database_option
def show(name: str, database: str | None) -> None:
    """Show the group NAME in JSON, without its secrets."""
    groups = in_access_store(database, lambda access: Groups(access).all())
    found = [each for each in groups if each.name == name]
    if not found:
        raise click.ClickException(f"there is no configuration group {name!r}; see heksherlite group list")
    click.echo(json.dumps(found[0].values, indent=2, ensure_ascii=False))


@group.command(name="set")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@reason_option
@database_option
def set_(name: str, file: Any, reason: str | None, database: str | None) -> None:
    """Set the group NAME to the JSON object in FILE, by default what is read from the standard input."""
    content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise click.ClickException(f"a group may have {_LONGEST} bytes")
    try:
        values = orjson.loads(content)
        if not isinstance(values, dict):
            raise click.ClickException('a group is a JSON object, such as {"host": "db.local"}')
        new = Group(name, values)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    in_access_store(database, lambda access: Groups(access).put(new, cause(reason)))


@group.command()
@click.argument("name")
@reason_option
@database_option
def remove(name: str, reason: str | None, database: str | None) -> None:
    """Remove the group NAME, if no application gets it."""
    in_access_store(database, lambda access: Groups(access).remove(name, cause(reason)))


@group.command()
@click.argument("name")
@click.argument("application")
@reason_option
@database_option
def attach(name: str, application: str, reason: str | None, database: str | None) -> None:
    """Let the APPLICATION with this ID, or all with this identifier, get the group NAME with their next claim."""

    def with_group(approval: Approval) -> Approval:
        return replace(approval, groups=tuple(dict.fromkeys((*approval.groups, name))))

    in_access_store(
        database,
        lambda access: Applications(access).change_approval(application, with_group, cause(reason)),
    )


@group.command()
@click.argument("name")
@click.argument("application")
@reason_option
@database_option
def detach(name: str, application: str, reason: str | None, database: str | None) -> None:
    """Let the APPLICATION with this ID, or all with this identifier, not get the group NAME any more."""

    def without_group(approval: Approval) -> Approval:
        return replace(approval, groups=tuple(each for each in approval.groups if each != name))

    in_access_store(
        database,
        lambda access: Applications(access).change_approval(application, without_group, cause(reason)),
    )


@group.group()
def secret() -> None:
    """Set, list and remove the secrets that groups refer to."""


@secret.command(name="set")
@click.argument("name")
@reason_option
@database_option
def set_secret(name: str, reason: str | None, database: str | None) -> None:
    """Set the secret NAME to what is read from the standard input, or asked for at a terminal."""
    try:
        value = _read_secret(sys.stdin)
        in_access_store(database, lambda access: Groups(access).put_secret(name, value, cause(reason)))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@secret.command(name="list")
@database_option
def list_secrets(database: str | None) -> None:
    """List the names of the secrets."""
    for name in in_access_store(database, lambda access: Groups(access).secret_names()):
        click.echo(name)


@secret.command(name="remove")
@click.argument("name")
@reason_option
@database_option
def remove_secret(name: str, reason: str | None, database: str | None) -> None:
    """Remove the secret NAME, if no group refers to it."""
    in_access_store(database, lambda access: Groups(access).remove_secret(name, cause(reason)))


def _read_secret(source: TextIO) -> str:
    if source.isatty():
        value: str = click.prompt("Secret", hide_input=True, confirmation_prompt=True)
        return value
    # As password files end: with one line break that is no part of it.
    text = source.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise click.ClickException(f"a secret may have {_LONGEST} characters")
    return text.removesuffix("\n").removesuffix("\r")
