"""``heksherlite group``: the configuration groups that applications get, and the secrets in them."""

import json
import sys
from typing import Any, Final, TextIO

import click

from heksherlite.cli.applications import applications_argument, select
from heksherlite.cli.location import reason_option
from heksherlite.cli.tables import print_table
from heksherlite.cli.target import Target, administration_of, target_options

_TITLES: Final = ("NAME", "KEYS", "SECRETS", "ATTACHED TO")


@click.group()
def group() -> None:
    """Edit configuration groups and their secrets.

    A group is a JSON object. In it, {"$secret": "NAME"} stands for a secret, which is stored apart from it. An
    application gets the groups that are attached to it when it claims its configuration.
    """


@group.command(name="list")
@target_options
def list_(target: Target) -> None:
    """List the groups, and the applications that get them."""
    from heksherlite.service.domain.groups import references

    administration = administration_of(target)
    groups, applications = administration.list_groups(), administration.list_applications()
    rows = []
    for name, values in groups.items():
        users = dict.fromkeys(known.identifier for known in applications if name in known.approval.groups)
        texts = (values, sorted(set(references(values))), users)
        rows.append((name, *(",".join(text) or "-" for text in texts)))
    print_table(_TITLES, rows)


@group.command()
@click.argument("name")
@target_options
def show(name: str, target: Target) -> None:
    """Show the group NAME as JSON, without its secrets."""
    groups = administration_of(target).list_groups()
    if name not in groups:
        raise click.ClickException(f"there is no configuration group {name!r}; see heksherlite group list")
    click.echo(json.dumps(groups[name], indent=2, ensure_ascii=False))


@group.command(name="set")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@reason_option
@target_options
def set_(name: str, file: Any, reason: str | None, target: Target) -> None:
    """Set the group NAME to the JSON object in FILE.

    By default, the object is read from the standard input.
    """
    import orjson

    longest = _longest()
    content = file.read(longest + 1)
    if len(content) > longest:
        raise click.ClickException(f"the group is too large; the limit is {longest} bytes")
    try:
        values = orjson.loads(content)
    except ValueError as error:
        raise click.ClickException(f"the group is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.ClickException('the group is not a JSON object such as {"host": "db.local"}')
    administration_of(target, reason).put_group(name, values)


@group.command()
@click.argument("name")
@reason_option
@target_options
def remove(name: str, reason: str | None, target: Target) -> None:
    """Delete the group NAME, which must not be attached to an application."""
    administration_of(target, reason).remove_group(name)


@group.command()
@click.argument("name")
@applications_argument
@reason_option
@target_options
def attach(
    name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, reason: str | None, target: Target
) -> None:
    """Attach the group NAME to the applications with these IDs.

    They get the group when they claim their configuration next.
    """
    administration = administration_of(target, reason)
    question = f"Attach the group {name!r} to these applications?"
    administration.attach(name, select(administration, ids, identifier, question=question, yes=yes))


@group.command()
@click.argument("name")
@applications_argument
@reason_option
@target_options
def detach(
    name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, reason: str | None, target: Target
) -> None:
    """Detach the group NAME from the applications with these IDs."""
    administration = administration_of(target, reason)
    question = f"Detach the group {name!r} from these applications?"
    administration.detach(name, select(administration, ids, identifier, question=question, yes=yes))


@group.group()
def secret() -> None:
    """Set, list and delete the secrets that groups refer to."""


@secret.command(name="set")
@click.argument("name")
@reason_option
@target_options
def set_secret(name: str, reason: str | None, target: Target) -> None:
    """Set the secret NAME.

    The value is read from the standard input. At a terminal, the command asks for it.
    """
    value = _read_secret(sys.stdin)
    administration_of(target, reason).put_secret(name, value)


@secret.command(name="list")
@target_options
def list_secrets(target: Target) -> None:
    """List the names of the secrets."""
    for name in administration_of(target).list_secrets():
        click.echo(name)


@secret.command(name="remove")
@click.argument("name")
@reason_option
@target_options
def remove_secret(name: str, reason: str | None, target: Target) -> None:
    """Delete the secret NAME, to which no group must refer."""
    administration_of(target, reason).remove_secret(name)


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
