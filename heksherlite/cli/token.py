"""``heksherlite token``: make, list and revoke the tokens of a service that runs with ``--auth tokens``."""

import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import anyio
import click

from heksherlite.cli.database import database_option, default_database
from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.names import SETTING_NAME
from heksherlite.service.domain.tokens import Scope, Token, new_token
from heksherlite.service.storage.database import Database, DatabaseUnavailableError
from heksherlite.service.storage.tokens import add_token, list_tokens, remove_token
from heksherlite.service.storage.urls import file_of, open_database

T = TypeVar("T")

_TITLES: Final = ("NAME", "BEGINS WITH", "SCOPES", "SETTINGS", "CREATED", "EXPIRES")
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


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
            name, map(Scope, scopes), now=now, setting_prefix=setting_prefix, expires_at=_expiry(expires, now)
        )
        _run(database, partial(add_token, token=kept))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(text)


@token.command(name="list")
@database_option
def list_(database: str | None) -> None:
    """List the tokens, without their secrets."""
    now = time.time()
    tokens = [_row(known, now) for known in _run(_existing(database), list_tokens)]
    rows = [_TITLES, *tokens]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@token.command()
@click.argument("name")
@database_option
def revoke(name: str, database: str | None) -> None:
    """Revoke the token named NAME, or that begins with NAME as the list shows it."""
    if not _run(_existing(database), partial(remove_token, name=name)):
        raise click.ClickException(f"there is no token named {name!r}; see heksherlite token list")


def _existing(location: str | None) -> str | os.PathLike[str]:
    """Return a database, unless it is a file that does not exist: opening it would make an empty one."""
    database = location or default_database()
    try:
        path = file_of(database)
    except ServiceStartError as error:
        raise click.ClickException(str(error)) from error
    if path is not None and not path.exists():
        advice = "name the one of the service (--database), which it prints at its start"
        raise click.ClickException(f"there is no database {path.absolute()}: {advice}")
    return database


def _run(location: str | os.PathLike[str] | None, work: Callable[[Database], Awaitable[T]]) -> T:
    async def prepare_and_work() -> T:
        database = open_database(location or default_database())
        try:
            await database.prepare()
            return await work(database)
        finally:
            await database.close()

    try:
        return anyio.run(prepare_and_work)
    except (ServiceStartError, DatabaseUnavailableError) as error:
        raise click.ClickException(str(error)) from error


def _expiry(text: str | None, now: float) -> int | None:
    if text is None:
        return None
    try:
        if match := re.fullmatch(r"([0-9]{1,6})([hdw])", text):
            expires_at = int(now) + int(match[1]) * _SECONDS[match[2]]
        else:
            moment = datetime.fromisoformat(text)
            expires_at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        _date(expires_at)  # fails beyond the year 9999
    except (ValueError, OverflowError) as error:
        reason = f"{text!r} is neither a time such as 90d nor a date such as 2030-01-31"
        raise click.BadParameter(reason, param_hint="--expires") from error
    return expires_at


def _row(known: Token, now: float) -> tuple[str, ...]:
    return (
        known.name,
        known.public_prefix,
        ",".join(scope for scope in Scope if scope in known.scopes),
        f"{known.setting_prefix}*",
        _date(known.created_at),
        "never" if known.expires_at is None else _date(known.expires_at) + " (expired)" * known.expired(now),
    )


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
