"""``heksherlite token``: create, list and revoke the tokens of a service that runs with ``--auth tokens``."""

import time
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.access_mode import AccessMode, access_options
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, print_one, print_rows
from heksherlite.cli.scopes import scope_option
from heksherlite.cli.tables import print_table
from heksherlite.cli.target import Target, administration_of, target_options
from heksherlite.cli.times import format_time, parse_expiry

if TYPE_CHECKING:
    from heksherlite.service.domain.tokens import Token

_TITLES: Final = ("NAME", "BEGINS WITH", "SCOPES", "SETTINGS", "OWNER", "CREATED", "LAST USED", "EXPIRES")


@click.group(cls=CommandGroup)
def token() -> None:
    """Create, list and revoke tokens.

    These commands work on the database of the service, whether it runs or not, and a running service notices a change
    within a second. With --url, they work on the service over HTTP.
    """


@token.command()
@click.argument("name")
@scope_option(
    "What the token allows: read (queries, lists, metrics, documentation), declare (settings, as programs do), propose"
    " (changes for others to approve), write (rules and metadata), audit (the audit record), admin (context features,"
    " access, and everything else about settings), evaluate (values of the settings that are visible to browsers and"
    " phones). No scope includes another.",
    required=True,
)
@click.option(
    "--setting-prefix",
    metavar="PREFIX",
    default="",
    help="Limit the token to settings whose names begin with this, such as backend.",
)
@click.option(
    "--expires",
    metavar="WHEN",
    help="When the token expires: a time from now, such as 12h, 90d or 52w, or a date in UTC, such as 2030-01-31."
    " By default never.",
)
@click.option(
    "--owner",
    metavar="PERSON",
    help="The person that the token belongs to, such as jane@example.com: the name that a proxy or identity provider"
    " gives them. Nobody approves their own proposals, whichever of their tokens they use.",
)
@access_options
def create(
    name: str, scopes: frozenset[Any], setting_prefix: str, expires: str | None, owner: str | None, mode: AccessMode
) -> None:
    """Create a token named NAME.

    The command prints the token, which is shown only this once.
    """
    from heksherlite.names import SETTING_NAME

    if setting_prefix and SETTING_NAME.fullmatch(setting_prefix) is None:
        raise click.BadParameter(
            f"the name of a setting cannot begin with {setting_prefix!r}", param_hint="--setting-prefix"
        )
    expires_at = parse_expiry(expires, time.time())
    administration = mode.administration
    if mode.dry_run:
        if any(known.name == name for known in administration.list_tokens()):
            raise click.ClickException(f"there is a token named {name!r} already")
        mode.report("create token", name)
        return
    text = administration.create_token(name, scopes, setting_prefix=setting_prefix, expires_at=expires_at, owner=owner)
    print_one(mode.output, {"name": name, "token": text}, lambda: text)


@token.command(name="list")
@output_option
@target_options
def list_(output: FORMATS, target: Target) -> None:
    """List the tokens, without their secrets."""
    from heksherlite.cli.access_rows import token_details

    now = time.time()
    tokens = administration_of(target).list_tokens()
    if output == "table":
        print_table(_TITLES, [_row(known, now) for known in tokens])
    else:
        print_rows(output, [token_details(known) for known in tokens], {})


@token.command()
@click.argument("name")
@access_options
def revoke(name: str, mode: AccessMode) -> None:
    """Revoke the token NAME.

    NAME is the name of the token, or its beginning as heksherlite token list shows it.
    """
    administration = mode.administration
    if mode.dry_run:
        exists = any(name in {known.name, known.public_prefix} for known in administration.list_tokens())
    else:
        exists = administration.revoke_token(name)
    if not exists:
        raise click.ClickException(f"there is no token named {name!r}; heksherlite token list shows all")
    mode.report("revoke token", name)


@token.command()
@click.option(
    "--at-once",
    is_flag=True,
    help="Refuse the access tokens and device codes that the previous key signed at once, because others may know it."
    " By default they remain valid until they expire, within 15 minutes.",
)
@access_options
def rotate_signing_key(*, at_once: bool, mode: AccessMode) -> None:
    """Sign access tokens and device codes with a new key."""
    if not mode.dry_run:
        mode.administration.rotate_signing_key(at_once=at_once)
    mode.report("replace the signing key")


def _expiry(known: "Token", now: float) -> str:
    if known.expires_at is None:
        return "never"
    note = " (expired)" if known.expired(now) else " (soon)" if known.expires_soon(now) else ""
    return format_time(known.expires_at) + note


def _row(known: "Token", now: float) -> tuple[str, ...]:
    from heksherlite.service.domain.tokens import Scope

    return (
        known.name,
        known.public_prefix,
        ",".join(scope for scope in Scope if scope in known.scopes),
        f"{known.setting_prefix}*",
        known.owner or "-",
        format_time(known.created_at),
        "-" if known.last_used_at is None else format_time(known.last_used_at),
        _expiry(known, now),
    )
