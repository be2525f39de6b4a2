"""``heksherlite declarer``: who may upgrade a setting by declaring it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from heksherlite.cli.location import reason_option
from heksherlite.cli.tables import print_table
from heksherlite.cli.target import Target, administration_of, target_options

if TYPE_CHECKING:
    from heksherlite.service.domain.declarers import DeclarerKind

_TITLES: Final = ("KIND", "ID", "NAME")


def _declarer_options(command: Callable[..., None]) -> Callable[..., None]:
    application = click.option(
        "--application", metavar="ID", help="The ID of the application, as heksherlite app list shows it."
    )
    token = click.option(
        "--token-id",
        metavar="BEGINNING",
        help="The beginning of the token, as heksherlite token list shows it, such as hkl_5f0c2a91.",
    )
    return application(token(command))


@click.group()
def declarer() -> None:
    """List, add and remove the declarers of a setting.

    With --strict-declarations, a program whose token only has the scope declare upgrades a setting only if it is one of
    its declarers: the program that declared it first, and those that are added here. Tokens with a setting prefix, or
    with the scope write or admin, need not be added.
    """


@declarer.command(name="list")
@click.argument("setting")
@target_options
def list_(setting: str, target: Target) -> None:
    """List the declarers of SETTING."""
    print_table(_TITLES, [(kind, id_, name or "-") for kind, id_, name in administration_of(target).declarers(setting)])


@declarer.command()
@click.argument("setting")
@_declarer_options
@reason_option
@target_options
def add(setting: str, *, application: str | None, token_id: str | None, reason: str | None, target: Target) -> None:
    """Add a declarer to SETTING: an application or a token."""
    administration_of(target, reason).add_declarer(setting, *_declarer(application, token_id))


@declarer.command()
@click.argument("setting")
@_declarer_options
@reason_option
@target_options
def remove(setting: str, *, application: str | None, token_id: str | None, reason: str | None, target: Target) -> None:
    """Remove a declarer from SETTING."""
    administration_of(target, reason).remove_declarer(setting, *_declarer(application, token_id))


def _declarer(application: str | None, token_id: str | None) -> "tuple[DeclarerKind, str]":
    if application is not None and token_id is None:
        return "application", application
    if application is None and token_id is not None:
        return "token", token_id
    raise click.UsageError("Give either --application or --token-id.")
