"""``heksherlite token``: make, list and revoke the tokens of a service that runs with ``--auth tokens``."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import click

from heksherlite.cli.database import in_access_store
from heksherlite.cli.location import database_option
from heksherlite.cli.tables import print_table
from heksherlite.cli.times import read_expiry, show_date
from heksherlite.names import SETTING_NAME
from heksherlite.service.domain.tokens import Scope, Token, new_token
from heksherlite.service.storage.tokens import add_token, list_tokens, remove_token

_TITLES: Final = ("NAME", "BEGINS WITH", "SCOPES", "SETTINGS", "CREATED", "EXPIRES")


@click.group()
def token() -> None:
    """Make, list and revoke tokens.

    These commands work on the database of the service, running or not. A running service learns of what they do within
    a second.
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the token allows: read (queries, lists, metrics, documentation), declare (settings, as programs do),"
    " write (rules and metadata), admin (context features, and all else about settings). None includes another; give"
    " several.",
)
@click.option(
    "--setting-prefix",
    metavar="PREFIX",
    default="",
    help="Limits the token to settings whose names begin like this, such as backend.",
)
@click.option(
    "--expires",
    metavar="WHEN",
    help="When the token ends: a time from now, such as 12h, 90d or 52w, or a date in UTC, such as 2030-01-31."
    " By default never.",
)
@database_option
def create(name: str, scopes: Sequence[str], setting_prefix: str, expires: str | None, database: str | None) -> None:
    """Make a token named NAME, and print it: it is shown only this once."""
    if setting_prefix and SETTING_NAME.fullmatch(setting_prefix) is None:
        raise click.BadParameter("no name of a setting begins like that", param_hint="--setting-prefix")
    now = time.time()
    try:
        text, kept = new_token(
            name, map(Scope, scopes), now=now, setting_prefix=setting_prefix, expires_at=read_expiry(expires, now)
        )
        in_access_store(database, partial(add_token, token=kept), may_be_new=True)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(text)


@token.command(name="list")
@database_option
def list_(database: str | None) -> None:
    """List the tokens, without their secrets."""
    now = time.time()
    print_table(_TITLES, [_row(known, now) for known in in_access_store(database, list_tokens)])


@token.command()
@click.argument("name")
@database_option
def revoke(name: str, database: str | None) -> None:
    """Revoke the token named NAME, or that begins with NAME as the list shows it."""
    if not in_access_store(database, partial(remove_token, name=name)):
        raise click.ClickException(f"there is no token named {name!r}; see heksherlite token list")


def _row(known: Token, now: float) -> tuple[str, ...]:
    return (
        known.name,
        known.public_prefix,
        ",".join(scope for scope in Scope if scope in known.scopes),
        f"{known.setting_prefix}*",
        show_date(known.created_at),
        "never" if known.expires_at is None else show_date(known.expires_at) + " (expired)" * known.expired(now),
    )
