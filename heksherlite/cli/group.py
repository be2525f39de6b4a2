"""``heksherlite group``: the configuration groups that applications get, and the secrets in them."""

import json
import sys
from typing import Any, Final, TextIO

import click

from heksherlite.cli.applications import applications_argument, select
from heksherlite.cli.location import database_option, reason_option
from heksherlite.cli.tables import print_table

_TITLES: Final = ("NAME", "KEYS", "SECRETS", "ATTACHED TO")


@click.group()
def group() -> None:
    """Edit configuration groups and their secrets.

    A group is a JSON object. In it, {"$secret": "NAME"} stands for a secret, which is stored apart from it. An
    application gets the groups that are attached to it when it claims its configuration.
    """


@group.command(name="list")
@database_option
def list_(database: str | None) -> None:
    """List the groups, and the applications that get them."""
    from heksherlite.cli.administration import Administration
    from heksherlite.service.domain.groups import references

    administration = Administration(database)
    groups, applications = administration.list_groups(), administration.list_applications()
    rows = []
    for name, values in groups.items():
        users = dict.fromkeys(known.identifier for known in applications if name in known.approval.groups)
        texts = (values, sorted(set(references(values))), users)
        rows.append((name, *(",".join(text) or "-" for text in texts)))
    print_table(_TITLES, rows)


@group.command()
@click.argument("name")
@database_option
def show(name: str, database: str | None) -> None:
    """Show the group NAME as JSON, without its secrets."""
    from heksherlite.cli.administration import Administration

    groups = Administration(database).list_groups()
    if name not in groups:
        raise click.ClickException(f"there is no configuration group {name!r}; see heksherlite group list")
    click.echo(json.dumps(groups[name], indent=2, ensure_ascii=False))


@group.command(name="set")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@reason_option
@database_option
def set_(name: str, file: Any, reason: str | None, database: str | None) -> None:
    """Set the group NAME to the JSON object in FILE.

    By default, the object is read from the standard input.
    """
    import orjson

    from heksherlite.cli.administration import Administration

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
    Administration(database, reason).put_group(name, values)


@group.command()
@click.argument("name")
@reason_option
@database_option
def remove(name: str, reason: str | None, database: str | None) -> None:
    """Delete the group NAME, which must not be attached to an application."""
    from heksherlite.cli.administration import Administration

    Administration(database, reason).remove_group(name)


@group.command()
@click.argument("name")
@applications_argument
@reason_option
@database_option
def attach(
    name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, reason: str | None, database: str | None
) -> None:
    """Attach the group NAME to the applications with these IDs.

    They get the group when they claim their configuration next.
    """
    from heksherlite.cli.administration import Administration

    administration = Administration(database, reason)
    question = f"Attach the group {name!r} to these applications?"
    administration.attach(name, select(administration, ids, identifier, question=question, yes=yes))


@group.command()
@click.argument("name")
@applications_argument
@reason_option
@database_option
def detach(
    name: str, ids: tuple[str, ...], *, identifier: str | None, yes: bool, reason: str | None, database: str | None
) -> None:
    """Detach the group NAME from the applications with these IDs."""
    from heksherlite.cli.administration import Administration

    administration = Administration(database, reason)
    question = f"Detach the group {name!r} from these applications?"
    administration.detach(name, select(administration, ids, identifier, question=question, yes=yes))


@group.group()
def secret() -> None:
    """Set, list and delete the secrets that groups refer to."""


@secret.command(name="set")
@click.argument("name")
@reason_option
@database_option
def set_secret(name: str, reason: str | None, database: str | None) -> None:
    """Set the secret NAME.

    The value is read from the standard input. At a terminal, the command asks for it.
    """
    from heksherlite.cli.administration import Administration

    value = _read_secret(sys.stdin)
    Administration(database, reason).put_secret(name, value)


@secret.command(name="list")
@database_option
def list_secrets(database: str | None) -> None:
    """List the names of the secrets."""
    from heksherlite.cli.administration import Administration

    for name in Administration(database).list_secrets():
        click.echo(name)


@secret.command(name="remove")
@click.argument("name")
@reason_option
@database_option
def remove_secret(name: str, reason: str | None, database: str | None) -> None:
    """Delete the secret NAME, to which no group must refer."""
    from heksherlite.cli.administration import Administration

    Administration(database, reason).remove_secret(name)


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
